"""A reply's Markdown as blocks of HTML that fetch nothing and run nothing: whole, or while it grows. Knows no page."""

from page.blocks.growing import GrowingText
from page.blocks.markdown import Blocks, render_blocks
from page.blocks.plain import plain_blocks
from page.blocks.thought import thought_block

__all__ = ["Blocks", "GrowingText", "plain_blocks", "render_blocks", "thought_block"]
