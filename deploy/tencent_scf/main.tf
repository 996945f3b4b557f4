locals {
  environment = {
    PPOCR_MAX_BODY_MB     = "5" # SCF takes 6 MB with everything around the body
    PPOCR_MAX_CONCURRENCY = "2"
  }
}

resource "tencentcloud_scf_function" "ppocr_serving" {
  name        = var.function_name
  namespace   = var.namespace
  description = "Text in pictures, over HTTP"
  func_type   = "HTTP"
  mem_size    = var.mem_size
  timeout     = var.timeout

  # SCF can only take this away from functions inside a VPC. The service itself calls nobody.
  enable_public_net = true

  environment = merge(local.environment, var.environment)

  image_config {
    image_type  = var.image_type
    image_uri   = var.image_uri
    registry_id = var.registry_id
    image_port  = 9000

    # Starts instances before the whole image is there.
    container_image_accelerate = true
  }

  # Unset, an instance gets one request at a time and a second request starts a second instance.
  instance_concurrency_config {
    dynamic_enabled = "FALSE"
    max_concurrency = var.concurrency
  }
}

resource "tencentcloud_scf_trigger" "http" {
  function_name = tencentcloud_scf_function.ppocr_serving.name
  namespace     = tencentcloud_scf_function.ppocr_serving.namespace
  type          = "http"
  enable        = "OPEN"

  trigger_desc = jsonencode({
    AuthType = "NONE"
    NetConfig = {
      EnableIntranet = true
      EnableExtranet = var.public
    }
  })
}
