// One event stream for all tabs of a browser (a SharedWorker), or of one tab where browsers have no such thing.
// A tab says which topics it wants; a topic that is known already is told at once, whole.
const SILENT = 150_000; // milliseconds after which a tab that says nothing is taken for closed
const TRIES = 3; // answers that are no stream, one after the other, until tabs are told to do without

const tabs = new Map(); // port: { ticket, path, topics, heard }
const streams = new Map(); // ticket: Stream

class Stream {
  constructor(ticket, path) {
    Object.assign(this, { ticket, path, asked: new Set(), known: new Map(), source: null, refused: 0, timer: 0 });
  }

  // Opens, renews or closes the connection, as the tabs want it.
  update() {
    const wanted = new Set([...tabs.values()].filter((tab) => tab.ticket === this.ticket).flatMap((tab) => [...tab.topics]));
    for (const topic of this.known.keys()) if (!wanted.has(topic)) this.known.delete(topic);
    if (!wanted.size) {
      this.close();
      streams.delete(this.ticket);
    } else if (!this.source || [...wanted].some((topic) => !this.asked.has(topic))) {
      this.open(wanted);
    }
  }

  open(topics) {
    this.close();
    this.asked = topics;
    const url = new URL(this.path, self.location.href);
    url.searchParams.set("ticket", this.ticket);
    for (const topic of topics) url.searchParams.append("t", topic);
    const source = (this.source = new EventSource(url));
    source.onopen = () => { this.refused = 0; };
    source.onmessage = ({ data }) => { if (source === this.source) this.take(JSON.parse(data)); };
    source.onerror = () => { if (source === this.source && source.readyState === EventSource.CLOSED) this.retry(); };
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  // A connection that breaks is renewed by the browser itself; an answer that is no stream is not.
  retry() {
    this.refused += 1;
    if (this.refused === TRIES) this.tell(null, { failed: true });
    this.timer = setTimeout(() => this.open(this.asked), Math.min(500 * 2 ** this.refused, 15_000));
  }

  take(event) {
    const { topic } = event;
    if (!this.asked.has(topic)) return;
    const blocks = event.add && patched(this.known.get(topic)?.blocks ?? [], event);
    this.known.set(topic, { ...event, blocks });
    if (event.ended) this.asked.delete(topic); // nothing more comes of it here; a reply that goes on is asked for anew
    this.tell(topic, event);
  }

  tell(topic, event) {
    for (const [port, tab] of tabs) {
      if (tab.ticket === this.ticket && (topic === null || tab.topics.has(topic))) port.postMessage(event);
    }
  }

  // What a tab that comes later has missed.
  repeat(port, topic) {
    const state = this.known.get(topic);
    if (!state || !this.source) return;
    const { blocks, ...event } = state;
    port.postMessage(blocks ? { ...event, whole: true, keep: 0, cut: 0, add: blocks } : event);
  }
}

function want(port, { ticket, path, topics, repeat }) {
  const before = tabs.get(port);
  const tab = { ticket, path, topics: new Set(topics), heard: Date.now() };
  tabs.set(port, tab);
  const stream = streams.get(ticket) ?? new Stream(ticket, path);
  streams.set(ticket, stream);
  const told = (topic) => before?.ticket === ticket && before.topics.has(topic) && !repeat.includes(topic);
  const fresh = topics.filter((topic) => !told(topic));
  const source = stream.source;
  stream.update();
  if (source === stream.source) for (const topic of fresh) stream.repeat(port, topic); // a new one tells all anyway
  if (before && before.ticket !== ticket) streams.get(before.ticket)?.update();
}

function leave(port) {
  const tab = tabs.get(port);
  tabs.delete(port);
  if (tab) streams.get(tab.ticket)?.update();
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.leave) leave(port);
    else if (data.topics) want(port, data);
    else if (tabs.has(port)) tabs.get(port).heard = Date.now();
  };
  port.start();
};

setInterval(() => {
  for (const [port, tab] of tabs) if (Date.now() - tab.heard > SILENT) leave(port);
}, SILENT / 3);
