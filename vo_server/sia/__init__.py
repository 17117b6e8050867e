"""SIA 2.0: search of ivoa.obscore by parameters, the query path of TAP behind it."""
