"""A reply's Markdown as blocks of HTML that fetch nothing and run nothing: whole, or while it grows. Knows no page."""

from blocks.growing import GrowingText
from blocks.markdown import Blocks, render_blocks
from blocks.plain import plain_blocks
from blocks.thought import thought_block, thought_line

__all__ = ["Blocks", "GrowingText", "plain_blocks", "render_blocks", "thought_block", "thought_line"]
