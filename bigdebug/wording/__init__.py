"""How values, quantities and commands read, on every screen: of the command and of the terminal app."""
