"""What `remuda nodes`, `requests`, `pools`, `status` show, made from what was read. Pure."""
