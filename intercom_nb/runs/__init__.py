"""How an agent reacts: from taking its mail to falling silent."""
