output "trigger" {
  description = "The function URL as SCF describes it; the addresses are under NetConfig."
  value       = jsondecode(tencentcloud_scf_trigger.http.trigger_attribute)
}
