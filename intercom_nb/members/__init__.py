"""Who talks: agents, persons and their group chats, by id and name."""
