"""The console in Debian's Chromium: what people do there, and what is done to them."""
