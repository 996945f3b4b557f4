locals {
  environment = {
    PPOCR_MAX_BODY_MB     = "5" # SCF allows 6 MB including everything around the body
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

  # SCF can disable this only for functions inside a VPC. The service itself makes no connections.
  enable_public_net = true

  environment = merge(local.environment, var.environment)

  image_config {
    image_type  = var.image_type
    image_uri   = var.image_uri
    registry_id = var.registry_id
    image_port  = 9000

    # Start instances before the image is complete.
    container_image_accelerate = true
  }

  # Unset, an instance gets one request at a time, and a concurrent one starts another instance.
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
