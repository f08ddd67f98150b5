"""The engine process: started, polled and closed without blocking the window."""
