// This tab's end of the event stream: components subscribe to topics; a worker that all tabs share has the connection.
const ALIVE = 30_000; // milliseconds between two signs of life

class Hub {
  constructor() {
    Object.assign(this, { listeners: new Map(), fresh: new Set(), asked: new Set(), port: null, data: null, planned: false });
    addEventListener("pagehide", () => this.port?.postMessage({ leave: true }));
    addEventListener("pageshow", (event) => { if (event.persisted) this.renew(); });
    document.addEventListener("visibilitychange", () => { if (this.alone) this.renew(); });
    setInterval(() => this.port?.postMessage({ alive: true }), ALIVE);
  }

  // Calls `listen` with each event of a topic; returns what ends that.
  subscribe(data, topic, listen) {
    const known = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, known.add(listen));
    this.data = data;
    this.fresh.add(topic);
    this.plan();
    return () => {
      known.delete(listen);
      if (!known.size && this.listeners.get(topic) === known) this.listeners.delete(topic);
      this.plan();
    };
  }

  // Says what this tab wants, once for all that changed meanwhile.
  plan() {
    if (this.planned) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      this.ask();
    });
  }

  ask() {
    // Without a shared worker each tab has a connection of its own, of which browsers allow six: hidden tabs have none.
    const topics = this.alone && document.hidden ? [] : [...this.listeners.keys()];
    if (!this.data) return;
    if (!this.port) this.connect(new URL(this.data.worker, document.baseURI));
    const path = new URL(this.data.path, document.baseURI).href;
    const repeat = [...this.fresh].filter((topic) => this.asked.has(topic)); // somebody here has heard of it already
    this.fresh.clear();
    this.asked = new Set(topics);
    this.port.postMessage({ ticket: this.data.ticket, path, topics, repeat });
  }

  renew() {
    this.asked = new Set();
    this.plan();
  }

  connect(url) {
    if (self.SharedWorker) {
      const worker = new SharedWorker(url, { name: "events" });
      worker.onerror = () => { if (!this.heard) this.connectAlone(url); };
      this.port = worker.port;
    } else {
      this.connectAlone(url);
    }
    this.port.onmessage = (message) => this.take(message.data);
  }

  connectAlone(url) {
    const { port1, port2 } = new MessageChannel();
    this.alone = true;
    this.port = port1;
    this.port.onmessage = (message) => this.take(message.data);
    import(url.href).then(() => self.onconnect({ ports: [port2] }));
    this.renew();
  }

  take(event) {
    this.heard = true;
    const topics = event.failed ? [...this.listeners.keys()] : [event.topic];
    for (const topic of topics) for (const listen of this.listeners.get(topic) ?? []) listen(event);
  }
}

const hub = (window.assistantEvents ??= new Hub());
