"""What depends on where a widget runs: notebook front ends, the kernel's interrupts, executed notebooks, lifetime."""
