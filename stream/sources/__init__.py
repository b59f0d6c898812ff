"""The trail's silence: what is heard of each account's regions goes in, and who has fallen silent comes out."""
