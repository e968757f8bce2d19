"""What became of a file that was imported, in lines for people. Knows what was parsed and written; no page."""

from conversations.exchange.importer import ImportReport
from conversations.exchange.parsed import ParsedFile


def describe_import(parsed: ParsedFile, report: ImportReport) -> list[str]:
    """One line of what came in, then one for each thing that did not, or not whole."""
    counts = {"left out": len(parsed.left_out), "empty": parsed.empty}
    missing = "".join(f", {count} {what}" for what, count in counts.items() if count)
    saved = f"; personas saved: {', '.join(report.personas)}" if report.personas else ""
    saved += f"; projects: {', '.join(report.projects)}" if report.projects else ""
    names = ", ".join(parsed.programs)
    source = f" from {names}" if names else ""
    summary = f"{len(report.added)} added{source}, {len(report.skipped)} there already{missing}{saved}."
    return [summary, *parsed.left_out, *parsed.notes, *report.notes]
