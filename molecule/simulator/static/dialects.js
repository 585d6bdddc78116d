// STAND-IN for a sensor's console: these requests are invented, one way of talking per generation (see dialect_*.py).
// Each dialect has: session() -> null or {version}; signIn(user, password); load() -> values; save(values).

/** The console answered 401. */
export class SignedOut extends Error {}

/** The console refused; the message is what it says. */
export class Refused extends Error {}

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Refused("The console does not answer");
  }
  if (answer.status === 401) throw new SignedOut("signed out");
  if (answer.status >= 500) throw new Refused(`The request failed (${answer.status})`);
  return answer;
}

const json = (method, data, headers = {}) => ({
  method,
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify(data),
});

const cookie = (name) =>
  document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

const fragment = async (answer) => {
  const holder = document.createElement("div");
  holder.innerHTML = await answer.text();
  return holder;
};

const urlencoded = (form) => ({ method: "POST", body: new URLSearchParams(new FormData(form)) });

export const dialects = {
  // The server makes the forms; the page only sends them.
  10: {
    start: async () => fragment(await call("/sim10/start")),
    send: async (form) => fragment(await call(form.getAttribute("action"), urlencoded(form))),
    form: async () => fragment(await call("/sim10/network-form")),
  },

  22: {
    async session() {
      const found = await (await call("/sim22/session")).json();
      return found.user ? found : null;
    },
    async signIn(username, password) {
      const guard = { "X-Sim22-Guard": cookie("sim22-guard") };
      const answer = await call("/sim22/session", json("POST", { username, password }, guard));
      if (!answer.ok) throw new Refused((await answer.json()).detail);
    },
    async load() {
      this.stored = await (await call("/sim22/network-settings")).json();
      const { proxyEnabled, proxyHost, proxyPort, proxyUsername, proxyPasswordSet } = this.stored;
      return { enabled: proxyEnabled, host: proxyHost, port: proxyPort, username: proxyUsername, passwordSet: proxyPasswordSet };
    },
    async save({ enabled, host, port, username, password }) {
      const data = { ...this.stored, proxyEnabled: enabled, proxyHost: host, proxyPort: port, proxyUsername: username };
      if (password !== null) data.proxyPassword = password;
      const guard = { "X-Sim22-Guard": cookie("sim22-guard") };
      const answer = await call("/sim22/network-settings", json("PUT", data, guard));
      const said = await answer.json();
      if (!answer.ok) throw new Refused(said.errors?.join(" ") ?? said.detail);
    },
  },

  23: {
    proof: () => ({ "X-Sim23-Proof": document.querySelector("meta[name=sim23-proof]").content }),
    async session() {
      try {
        return (await (await call("/sim23/whoami")).json()).product;
      } catch (error) {
        if (error instanceof SignedOut) return null;
        throw error;
      }
    },
    async signIn(name, secret) {
      const answer = await fetch("/sim23/sign-in", json("POST", { account: { name, secret } }, this.proof()));
      const said = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Refused(said.error?.message ?? `The request failed (${answer.status})`);
      location.reload();
      await new Promise(() => {});
    },
    async load() {
      this.stored = await (await call("/sim23/settings")).json();
      const { enabled, host, port, credentials, certificate } = this.stored.proxy;
      return { enabled, host, port: port ?? "", username: credentials.user, passwordSet: credentials.stored, certificate: certificate.name };
    },
    async save({ enabled, host, port, username, password, file }) {
      if (file) {
        const upload = new FormData();
        upload.append("upload", file);
        await this.take(await call("/sim23/settings/certificate", { method: "POST", headers: this.proof(), body: upload }));
      }
      const data = structuredClone(this.stored);
      const number = /^[0-9]+$/.test(port) ? Number(port) : port || null;
      Object.assign(data.proxy, { enabled, host, port: number });
      Object.assign(data.proxy.credentials, { user: username, password });
      await this.take(await call("/sim23/settings", json("PATCH", data, this.proof())));
    },
    async take(answer) {
      if (!answer.ok) throw new Refused((await answer.json()).error.message);
    },
    cloud: async () => (await call("/sim23/connectivity")).json(),
  },

  wizard: {
    async heed(answer) {
      this.ticket = answer.headers.get("X-Simwizard-Ticket") ?? this.ticket;
      const said = await answer.json();
      if (!said.ok) throw new Refused(said.message);
      return said;
    },
    async session() {
      try {
        await this.load();
        return {};
      } catch (error) {
        if (error instanceof SignedOut) return null;
        throw error;
      }
    },
    async signIn(login, passphrase) {
      const said = await this.heed(await call("/simwizard/enter", json("POST", { login, passphrase })));
      this.ticket = said.ticket;
    },
    async load() {
      const { values } = await this.heed(await call("/simwizard/management-interface"));
      return {
        own: values,
        enabled: values.cloud_proxy === "yes",
        host: values.cloud_proxy_host,
        port: values.cloud_proxy_port,
        username: values.cloud_proxy_user,
        passwordSet: values.cloud_proxy_password !== "",
        certificate: values.cloud_proxy_certificate,
      };
    },
    async save({ own, enabled, host, port, username, password, file }) {
      const form = new FormData();
      form.append("ticket", this.ticket);
      for (const name of ["mgmt_ip", "mgmt_mask", "mgmt_gateway", "mgmt_dns", "mgmt_hostname"]) form.append(name, own[name]);
      form.append("cloud_proxy", enabled ? "yes" : "no");
      form.append("cloud_proxy_host", host);
      form.append("cloud_proxy_port", port);
      form.append("cloud_proxy_user", username);
      if (password !== null) form.append("cloud_proxy_password", password);
      form.append("cloud_proxy_certificate", file ?? new File([], ""));
      await this.heed(await call("/simwizard/management-interface", { method: "POST", body: form }));
    },
  },
};
