"""How the wanted quality is met: the next step, lambda or SNR from those tried."""
