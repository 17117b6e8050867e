"""What collections and results of queries cover in sky, time and energy: MOCs, their files and pictures."""
