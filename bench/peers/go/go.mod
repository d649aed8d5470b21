module tally/bench/peers/go

go 1.24
