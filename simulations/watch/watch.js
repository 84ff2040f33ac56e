// Asks every second for what has changed, and counts times on in between.
const live = document.getElementById("live");
const gone = document.getElementById("gone");
let tag = live.dataset.tag;

function swap(html) {
  const open = new Set([...live.querySelectorAll("details[open]")].map((each) => each.id));
  const shifts = [...live.querySelectorAll("[data-keep]")].map((each) => [each.dataset.keep, each.scrollTop, each.scrollLeft]);
  live.innerHTML = html;
  for (const each of live.querySelectorAll("details")) each.open = open.has(each.id);
  for (const [name, top, left] of shifts) {
    const each = live.querySelector(`[data-keep="${name}"]`);
    if (each) { each.scrollTop = top; each.scrollLeft = left; }
  }
  count();
}

function span(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} days`;
}

function count() {
  const now = Date.now() / 1000;
  for (const each of document.querySelectorAll("[data-since]")) each.textContent = `${span(now - each.dataset.since)} ago`;
  for (const each of document.querySelectorAll("[data-until]")) {
    const left = each.dataset.until - now;
    each.textContent = left > 1 ? `about ${span(left)} left` : "any moment now";
  }
  const head = live.querySelector("[data-title]");
  if (head) document.title = head.dataset.title;
}

async function look() {
  try {
    const answer = await fetch(`${live.dataset.live}?seen=${tag}`, { cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("X-Stamp");
      swap(await answer.text());
    }
    gone.hidden = answer.status === 200 || answer.status === 204;
  } catch {
    gone.hidden = false;
  }
  setTimeout(look, document.hidden ? 5000 : 1000);
}

count();
setInterval(count, 1000);
setTimeout(look, 1000);
