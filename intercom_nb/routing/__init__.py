"""Who may say what to whom: the rules of chats, and the tools agents call."""
