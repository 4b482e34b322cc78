"""One measured figure: workload, gate, rounds, statistics and the machine they were taken on."""
