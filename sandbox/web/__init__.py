"""What all four services share: routes, errors, paging, versions, the fault gate."""
