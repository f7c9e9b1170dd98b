"""The requestor: asks for nodes, holds them under locks, gives them back."""
