"""What is minimised: maximum likelihood; adversarial objectives join here."""
