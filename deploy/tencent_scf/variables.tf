variable "image_uri" {
  type        = string
  description = "The ppocr-serving-tx or ppocr-serving-lean image in a TCR registry of the same region, with its tag."

  validation {
    condition     = can(regex("^[^:/]+[./].*:[^:/]+$", var.image_uri))
    error_message = "image_uri must name a registry, a repository and a tag: ccr.ccs.tencentyun.com/your-namespace/ppocr-serving-tx:1.0.0"
  }
}

variable "image_type" {
  type        = string
  description = "The kind of TCR registry: personal or enterprise."
  default     = "personal"

  validation {
    condition     = contains(["personal", "enterprise"], var.image_type)
    error_message = "image_type must be personal or enterprise."
  }
}

variable "registry_id" {
  type        = string
  description = "Id of the TCR registry (tcr-...); only the enterprise kind has one."
  default     = null
}

variable "region" {
  type        = string
  description = "Region of the function."
  default     = "ap-guangzhou"
}

variable "namespace" {
  type        = string
  description = "Namespace of the function."
  default     = "default"
}

variable "function_name" {
  type        = string
  description = "Name of the function."
  default     = "ppocr-serving"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$", var.function_name))
    error_message = "function_name must have 2 to 60 letters, digits, - and _, begin with a letter and not end with - or _."
  }
}

variable "mem_size" {
  type        = number
  description = "Memory in MB. CPU grows with it."
  default     = 3072

  validation {
    condition     = var.mem_size >= 1536 && var.mem_size <= 3072 && var.mem_size % 128 == 0
    error_message = "mem_size must be a multiple of 128 from 1536, which an instance needs, to 3072, the most that SCF allows."
  }
}

variable "timeout" {
  type        = number
  description = "Seconds that a request may take, including waiting."
  default     = 120

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout must be from 1 to 900 seconds."
  }
}

variable "concurrency" {
  type        = number
  description = "Concurrent requests that SCF sends to an instance. PPOCR_MAX_CONCURRENCY of them run, the rest wait."
  default     = 4

  validation {
    condition     = var.concurrency >= 2 && var.concurrency <= 66
    error_message = "concurrency must be from 2 to 66: an instance runs 2 requests and queues 64."
  }
}

variable "public" {
  type        = bool
  description = "Give the function an address on the internet; false leaves only the one inside Tencent's network."
  default     = true
}

variable "environment" {
  type        = map(string)
  description = "Further settings, PPOCR_... (docs/settings.md)."
  default     = {}
}
