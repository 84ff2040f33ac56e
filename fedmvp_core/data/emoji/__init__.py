"""The embedded data sets: EmojiDomains, its groups, EmojiThings and EmojiScenes."""
