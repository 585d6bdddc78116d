// STAND-IN for a sensor's console: a single page with hash routes. Routes and markup are invented; what a person reads
// (labels, roles, texts) follows the documentation of the real console.
import { dialects, Refused, SignedOut } from "./dialects.js";
import { screens } from "./screens.js";
import { el, named, sleep } from "./widgets.js";

const screen = JSON.parse(document.getElementById("screen").textContent);
const shape = { 10: "for", 22: "wrap", 23: "aria-label", wizard: "aria-labelledby" }[screen.generation];
const dialect = dialects[screen.generation];
const page = screens[screen.generation];

const banner = () => el("div", { class: "banner" }, "Simulated sensor: a stand-in for tests, not the vendor's console");

let turn = 0;

/** Show the current route; whoever navigates again first wins. */
async function show() {
  const mine = ++turn;
  const main = el("main", {}, "Loading…");
  const footer = el("footer");
  try {
    const session = await page.session(dialect);
    await sleep(screen.delay);
    if (mine !== turn) return;
    if (!session) return signIn();
    document.body.replaceChildren(banner(), el("div", { class: "frame" }, page.menu(session), main), footer);
    footer.textContent = session.version ? `Version ${session.version}` : "Simulated sensor";
    const content = await page.content(location.hash, { screen, shape, dialect, guard });
    await sleep(screen.delay);
    if (mine === turn) main.replaceChildren(...content);
  } catch (error) {
    if (error instanceof SignedOut) signIn();
    else document.body.replaceChildren(banner(), el("p", { role: "alert" }, error.message));
  }
}

/** Do something that talks to the console; show what it says in `place`, the sign-in when the session is over. */
async function guard(place, work) {
  try {
    place.replaceChildren();
    await work();
  } catch (error) {
    if (error instanceof SignedOut) signIn();
    else if (error instanceof Refused) place.replaceChildren(el("p", { role: "alert" }, error.message));
    else throw error;
  }
}

async function signIn() {
  ++turn;
  if (page.signIn) return document.body.replaceChildren(banner(), await page.signIn(dialect, show));
  const username = el("input", { autocomplete: "off" });
  const password = el("input", { type: "password", autocomplete: "off" });
  const said = el("div");
  const submit = (event) => {
    event.preventDefault();
    guard(said, async () => {
      await dialect.signIn(username.value, password.value);
      await show();
    });
  };
  document.body.replaceChildren(
    banner(),
    el("form", { class: "card", submit }, el("h1", {}, "Sign in"), named(shape, "Username", username),
      named(shape, "Password", password), said, el("button", { type: "submit" }, "Login")),
  );
}

addEventListener("hashchange", show);
show();
