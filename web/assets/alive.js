// Asks whether the functions of this deployment answer, and says so.

const LONGEST_WAIT = 10_000;

const answer = document.getElementById("answer");
const words = answer.querySelector(".words");
const again = document.getElementById("again");

function show(state, text) {
  answer.dataset.state = state;
  words.textContent = text;
}

async function ask() {
  show("asking", "Asking the service…");
  try {
    const told = await fetch("/api/status/health?probe=live", {
      cache: "no-store",
      signal: AbortSignal.timeout(LONGEST_WAIT),
    });
    const body = told.ok ? await told.json() : {};
    if (body.status === "ok") {
      show("alive", "The service is alive.");
    } else {
      show("broken", `The service answers, and is not well (HTTP ${told.status}). Its log says why.`);
    }
  } catch (error) {
    const slow = error.name === "TimeoutError";
    show("silent", slow ? "The service did not answer within 10 seconds." : "The service cannot be reached.");
  }
}

document.getElementById("origin").textContent = location.origin;
again.addEventListener("click", () => {
  if (answer.dataset.state !== "asking") ask();
});
ask();
