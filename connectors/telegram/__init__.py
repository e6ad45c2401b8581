"""The Telegram connector: our own `getUpdates` loop over raw bytes."""
