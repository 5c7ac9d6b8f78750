"""PostgreSQL, Valkey and Lotline's own processes, started, watched and stopped by one supervisor on one machine.

errors      what can go wrong, as sentences for the person at the terminal
processes   looking at processes of this machine; stopping what a killed supervisor left behind
state       the state folder: passwords, the env file for other commands
lock        held by a supervisor while it lives
binaries    which PostgreSQL and Valkey to run, and as which user
supervisor  starts, watches, prefixes, starts again and stops children; knows nothing about what they are
deaths      how often a child died lately, and so when it is started again
postgres, valkey   the two servers as children
stack       everything together: the list of children that `up`, `up --check` and `test` run
"""
