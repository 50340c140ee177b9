"""Video: where frames come from, following vehicles through them, and agreeing on what their plates say."""
