// The blocks of a reply after an event of the stream, put together from those before it, as patch.py took them apart.
function patched(blocks, { whole, keep, cut, add }) {
  const known = whole ? [] : blocks;
  const next = known.slice(0, keep);
  if (add.length) next.push((known[keep] ?? "").slice(0, cut) + add[0], ...add.slice(1));
  return next;
}
