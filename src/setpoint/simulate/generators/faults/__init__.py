"""What goes wrong without anybody: accidents of runtimes, clocks, and the rate of each kind of fault."""
