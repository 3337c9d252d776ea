// Follows the console's events: replaces the parts of the page that changed, says when it hears
// nothing any more, counts down, and sends orders.

const SILENCE_MS = 6000; // three beats of the server (ops/console/feed.py)
const body = document.body;
const connection = document.getElementById("connection");
const lost = document.getElementById("lost");

let events = null;
let heard = Date.now();

function now() {
  return new Date().toISOString().slice(11, 19) + " UTC";
}

function show(fragments) {
  for (const [name, html] of Object.entries(fragments)) {
    const part = document.getElementById(name);
    if (part === null) {
      location.reload(); // a part that this page doesn't have yet
      return;
    }
    const places = [...part.querySelectorAll("[tabindex], a")];
    const focused = places.indexOf(document.activeElement);
    const scrolled = [...part.querySelectorAll(".wide")].map((one) => [one.scrollLeft, one.scrollTop]);
    part.innerHTML = html;
    [...part.querySelectorAll(".wide")].forEach((one, index) => {
      if (scrolled[index]) [one.scrollLeft, one.scrollTop] = scrolled[index];
    });
    if (focused >= 0) [...part.querySelectorAll("[tabindex], a")][focused]?.focus({ preventScroll: true });
  }
  countDown();
}

function hear(data) {
  heard = Date.now();
  connection.textContent = `live, ${now()}`;
  if (body.classList.contains("lost")) {
    body.classList.remove("lost");
    lost.hidden = true;
    enable(true);
  }
  if (data.fragments) show(data.fragments);
}

function lose() {
  if (body.classList.contains("lost")) return;
  body.classList.add("lost");
  const since = new Date(heard).toISOString().slice(11, 19);
  connection.textContent = "not connected";
  lost.textContent =
    `The connection to the console is lost: what is shown is from ${since} UTC and may be wrong. ` +
    "Start ./inv console again; this page finds it.";
  lost.hidden = false;
  enable(false);
}

function enable(on) {
  for (const button of document.querySelectorAll("form button")) button.disabled = !on;
}

function follow() {
  events = new EventSource("events");
  events.addEventListener("hello", (event) => {
    const data = JSON.parse(event.data);
    if (data.instance !== body.dataset.instance) location.reload(); // another console: its own page
    else hear(data);
  });
  events.addEventListener("page", (event) => hear(JSON.parse(event.data)));
  events.addEventListener("beat", () => hear({}));
  events.onerror = () => {
    lose();
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 1000);
  };
}

function countDown() {
  for (const part of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil(Number(part.dataset.until) - Date.now() / 1000);
    part.textContent = left > 0 ? `for ${left} s still` : "no longer";
  }
}

async function order(form) {
  const said = form.querySelector("output");
  const button = form.querySelector("button");
  button.disabled = true;
  said.className = "";
  said.textContent = "…";
  try {
    const answer = await fetch(`orders/${form.dataset.order}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": body.dataset.csrf },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    const text = await answer.text();
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      data = { error: text.trim() };
    }
    said.className = answer.ok ? "" : "bad";
    said.textContent = answer.ok ? data.said : data.error;
    if (answer.ok) form.querySelectorAll('[name="confirm"]').forEach((field) => { field.value = ""; });
  } catch {
    said.className = "bad";
    said.textContent = "the console doesn't answer: nothing is known of this order";
  }
  button.disabled = body.classList.contains("lost");
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    order(form);
  });
}
setInterval(() => {
  if (Date.now() - heard > SILENCE_MS) lose();
  countDown();
}, 1000);
follow();
