// One issue a scenario and place: opened where a drill failed or has become worse, updated by the
// next one that does, closed by the one that passes.
import { readFileSync } from "node:fs";

export async function write({ github, context }) {
  const { CODE, PLACE, RUNNER_TEMP, SCENARIO } = process.env;
  const title = `Drill ${SCENARIO} ${PLACE}`;
  const { owner, repo } = context.repo;
  const run = `${context.serverUrl}/${owner}/${repo}/actions/runs/${context.runId}`;
  const open = await github.paginate(github.rest.issues.listForRepo, {
    ...context.repo, state: "open", creator: "github-actions[bot]",
  });
  const issue = open.find((one) => one.title === title && !one.pull_request);
  const known = { ...context.repo, issue_number: issue?.number };
  if (CODE === "0") {
    if (issue) {
      await github.rest.issues.createComment({ ...known, body: `Passed: ${run}` });
      await github.rest.issues.update({ ...known, state: "closed" });
    }
    return;
  }
  const said = readFileSync(`${RUNNER_TEMP}/drill.txt`, "utf8").slice(-50000);
  const body = [
    `The drill failed, is void or has become worse (${run}; the evidence is its artifact).`,
    "```text", said.replaceAll("```", "'''"), "```",
  ].join("\n");
  if (issue) await github.rest.issues.update({ ...known, body });
  else await github.rest.issues.create({ ...context.repo, title, body });
}
