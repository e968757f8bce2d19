"""What became of files that were imported, in lines for people. Knows what was parsed and written; no page."""

from conversations.exchange.importer import ImportReport
from conversations.exchange.parsed import ParsedFile


def describe_import(parsed: ParsedFile, report: ImportReport) -> list[str]:
    """One line of what came in, then one for each thing that did not, or not whole."""
    return [summarize_import(report, parsed), *parsed.left_out, *parsed.notes, *report.notes]


def summarize_import(report: ImportReport, *files: ParsedFile) -> str:
    """One line of what came in from these files, and how much did not."""
    names = ", ".join(dict.fromkeys(name for file in files for name in file.programs))
    source = f" from {names}" if names else ""
    renamed = f", {len(report.renamed)} of them under a new id" if report.renamed else ""
    counts = {"left out": sum(len(file.left_out) for file in files), "empty": sum(file.empty for file in files)}
    missing = "".join(f", {count} {what}" for what, count in counts.items() if count)
    saved = f"; personas saved: {', '.join(report.personas)}" if report.personas else ""
    saved += f"; projects: {', '.join(report.projects)}" if report.projects else ""
    return f"{len(report.added)} added{source}{renamed}, {len(report.skipped)} there already{missing}{saved}."
