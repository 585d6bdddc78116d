// STAND-IN for a sensor's console: the screens of the four generations. Only labels, roles and texts are documented.
import { el, named, sleep, tabs, toggle } from "./widgets.js";

const MASK = "********";

const menu = (...items) =>
  el("aside", {}, el("nav", {}, el("ul", {}, ...items.map(([text, hash]) => el("li", {}, el("a", { href: hash }, text))))));

const tile = (text, click) => el("button", { type: "button", class: "tile", click }, text);

const nothing = (title) => [el("h1", {}, title), el("p", {}, "There is nothing to see here in the simulator.")];

const go = (hash) => () => { location.hash = hash; };

/** The form of generations 22, 23 and the wizard: returns its elements. */
function settings(values, { screen, shape, dialect, guard }, { kind, own = {}, placeholder = null }) {
  const { labels } = screen;
  const on = toggle(kind, values.enabled);
  const text = (value, more = {}) => Object.assign(el("input", { autocomplete: "off", ...more }), { value });
  const host = text(values.host);
  const port = text(values.port, { placeholder });
  const username = text(values.username);
  const password = text("", { type: "password", autocomplete: "new-password", placeholder: values.passwordSet ? MASK : null });
  let typed = false;
  password.addEventListener("input", () => { typed = true; });
  const mine = Object.fromEntries(Object.keys(own).map((name) => [name, text(values.own[name])]));
  const file = el("input", { type: "file" });
  const filename = el("output", {}, values.certificate || "No file chosen");
  file.addEventListener("change", () => { filename.textContent = file.files[0]?.name ?? "No file chosen"; });
  const said = el("div");
  const submit = (event) => {
    event.preventDefault();
    guard(said, async () => {
      await dialect.save({
        own: Object.fromEntries(Object.entries(mine).map(([name, input]) => [name, input.value])),
        enabled: on.on,
        host: host.value,
        port: port.value,
        username: username.value,
        password: typed ? password.value : null,
        file: file.files[0] ?? null,
      });
      await sleep(screen.delay);
      said.replaceChildren(el("p", { role: "status" }, "Settings saved"));
    });
  };
  return el("form", { submit, autocomplete: "off", novalidate: true },
    ...Object.entries(own).map(([name, label]) => named(shape, label, mine[name])),
    named(shape, labels.enabled, on.element),
    named(shape, labels.host, host),
    named(shape, labels.port, port),
    named(shape, labels.username, username),
    named(shape, labels.password, password),
    ...("certificate" in values ? [named(shape, labels.certificate, file, filename)] : []),
    said,
    el("button", { type: "submit" }, "Save"));
}

/** Generation 10: the dialog around the server's form. */
async function dialog(main, { dialect, guard, screen }) {
  const form = (await dialect.form()).querySelector("form");
  const box = el("div", { role: "dialog", "aria-labelledby": "w99", "aria-modal": "true" },
    el("h2", { id: "w99" }, "Sensor Network Configuration"), form);
  const checkbox = form.querySelector("input[type=checkbox]");
  const fieldset = form.querySelector("fieldset");
  const follow = () => { fieldset.disabled = !checkbox.checked; };
  checkbox.addEventListener("change", follow);
  follow();
  form.querySelector("[data-close]").addEventListener("click", () => box.remove());
  const place = form.querySelector("[data-answer]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guard(place, async () => {
      const answer = await dialect.send(form);
      await sleep(screen.delay);
      place.replaceChildren(...answer.children);
    });
  });
  await sleep(screen.delay);
  main.append(box);
}

const screen10 = {
  async session(dialect) {
    this.start = await dialect.start();
    return this.start.querySelector("[data-menu]") ? {} : null;
  },
  menu() { return el("aside", {}, el("nav", {}, this.start)); },
  async signIn(dialect, done) {
    const holder = el("div");
    const place = (found) => {
      holder.replaceChildren(found);
      found.querySelector("form").addEventListener("submit", async (event) => {
        event.preventDefault();
        const answer = await dialect.send(event.target);
        if (answer.querySelector("form")) place(answer);
        else if (answer.querySelector("[data-menu]")) done();
        else holder.replaceChildren(answer);
      });
    };
    place(await dialect.start());
    return holder;
  },
  async content(hash, tools) {
    if (hash !== "#/system") return nothing("Overview");
    const holder = el("div");
    const said = el("div");
    const open = () => guardOpen(tools, said, holder);
    holder.append(el("h1", {}, "System Settings"), tile("Time & Regional", () => {}), tile("Network", open), tile("Backup", () => {}), said);
    return [holder];
  },
};

const guardOpen = (tools, said, holder) => {
  if (!holder.querySelector("[role=dialog]")) tools.guard(said, () => dialog(holder, tools));
};

const screen22 = {
  session: (dialect) => dialect.session(),
  menu: () => menu(["Overview", "#/overview"], ["Device map", "#/map"], ["Alerts", "#/alerts"], ["System settings", "#/settings"]),
  async content(hash, tools) {
    if (hash === "#/settings") {
      return [el("h1", {}, "System settings"), tile("Time & region", () => {}),
        tile("Sensor network settings", go("#/settings/network")), tile("Subnets", () => {})];
    }
    if (hash !== "#/settings/network") return nothing("Overview");
    const values = await tools.dialect.load();
    return [el("section", { "aria-label": "Panel" }, el("h2", {}, "Sensor network settings"),
      settings(values, tools, { kind: "switch", placeholder: "3128" }))];
  },
};

const screen23 = {
  session: (dialect) => dialect.session(),
  menu: () => menu(["Overview", "#/home"], ["Device inventory", "#/inventory"], ["Alerts", "#/alerts"], ["System settings", "#/system/basic"]),
  async content(hash, tools) {
    const [, top, tab, leaf] = hash.split("/");
    if (top !== "system") return nothing("Overview");
    const selected = { basic: "Basic", management: "Sensor management", monitoring: "Network monitoring" }[tab];
    const bar = tabs([["Basic", "#/system/basic"], ["Network monitoring", "#/system/monitoring"], ["Sensor management", "#/system/management"]],
      selected, (_text, hash) => { location.hash = hash; });
    return [el("h1", {}, "System settings"), bar, el("div", { role: "tabpanel" }, ...await this.panel(tab, leaf, tools))];
  },
  async panel(tab, leaf, tools) {
    if (tab === "basic" && leaf === "network") {
      const values = await tools.dialect.load();
      return [el("h2", {}, "Sensor network settings"), settings(values, tools, { kind: "button" })];
    }
    if (tab === "basic") {
      return [tile("Sensor setup", () => {}), tile("Sensor network settings", go("#/system/basic/network")), tile("Time & region", () => {})];
    }
    if (tab === "management" && leaf === "cloud") return [el("h2", {}, "Cloud connectivity troubleshooting"), this.cloud(tools)];
    if (tab === "management") {
      return [el("h3", {}, "Interfaces"), tile("Interface configurations", () => {}),
        el("h3", {}, "Health and troubleshooting"), tile("Backup & restore", () => {}),
        tile("Cloud connectivity troubleshooting", go("#/system/management/cloud")), tile("Sensor health", () => {})];
    }
    return [el("p", {}, "There is nothing to see here in the simulator.")];
  },
  cloud({ dialect, guard, screen }) {
    const said = el("div");
    const pane = el("div", {}, el("p", {}, "Checking…"));
    guard(said, async () => {
      let found = await dialect.cloud();
      while (found.state === "checking" && pane.isConnected) {
        await sleep(500);
        found = await dialect.cloud();
      }
      await sleep(2 * screen.delay);
      if (found.summary) pane.replaceChildren(el("p", {}, found.summary));
      else pane.replaceChildren(...found.issues.flatMap(({ title, hint }) => [el("h4", {}, title), el("p", {}, hint)]));
    });
    return el("div", {}, said, pane);
  },
};

const OWN = {
  mgmt_ip: "IP address",
  mgmt_mask: "Subnet mask",
  mgmt_gateway: "Default gateway",
  mgmt_dns: "DNS",
  mgmt_hostname: "Hostname",
};

const screenWizard = {
  session: (dialect) => dialect.session(),
  menu: () => el("aside", {}, "First-run setup"),
  async content(hash, tools) {
    const step = hash.split("/")[2] ?? "management";
    const steps = [["Management interface", "management"], ["Interface configurations", "interfaces"], ["SSL/TLS certificates", "certificates"]];
    const selected = steps.find(([, name]) => name === step)?.[0];
    const bar = tabs(steps, selected, (_text, name) => { location.hash = `#/setup/${name}`; });
    if (step !== "management") return [bar, ...nothing(selected ?? "Setup")];
    const values = await tools.dialect.load();
    return [bar, el("div", { role: "tabpanel" }, settings(values, tools, { kind: "checkbox", own: OWN }))];
  },
};

export const screens = { 10: screen10, 22: screen22, 23: screen23, wizard: screenWizard };
