// Runs the script once when another tab or process changed what this one shows: versions that differ from those drawn.
export function news({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("span");
  const known = (root.known ??= { stops: [], told: "" });
  known.drawn = Object.fromEntries(data.drawn);
  const wanted = JSON.stringify([data.ticket, Object.keys(known.drawn)]);
  const leave = () => known.stops.splice(0).forEach((stop) => stop());
  if (known.wanted !== wanted || !known.stops.length) {
    leave();
    known.wanted = wanted;
    known.stops = Object.keys(known.drawn).map((topic) => hub.subscribe(data, topic, (event) => {
      const said = event.failed ? "failed" : `${topic} ${event.version}`;
      if (known.told === said || (!event.failed && event.version === known.drawn[topic])) return;
      known.told = said;
      known.trigger(event.failed ? "failed" : "changed", said);
    }));
  }
  known.trigger = setTriggerValue;
  const turn = (known.turn = {}); // Streamlit ends a call that was overtaken after the one that overtook it
  return () => { if (known.turn === turn) leave(); };
}
