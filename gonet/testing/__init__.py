"""What tests of concurrent programs need: synctest."""
