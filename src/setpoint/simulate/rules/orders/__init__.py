"""Rules about orders of people and calendars: hold, pause, freeze and removal stop what they cover, until they end."""
