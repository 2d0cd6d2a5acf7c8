import { Select } from "../../components/fields";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import type { PolicyLayer, PolicyView } from "../../ipc/bindings";
import { baseName } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useCall } from "../../queries/call";
import { useSearch } from "../../stores/navigation";
import { RuleLayer } from "./RuleLayer";
import styles from "./settings.module.css";
import { TryCommand } from "./TryCommand";

/** A select has no empty value. */
const EVERYWHERE = "everywhere";

/** Whose rules decide what is asked: one's own, a project's as far as it is trusted, the preset's. */
export function Rules() {
  const [search, setSearch] = useSearch();
  const project = search.project ?? null;
  const policy = useCall("policy", { project });
  const known = useCall("projects", {});
  const paths = known.data?.projects.map((use) => use.path) ?? [];
  const projects = project === null || paths.includes(project) ? paths : [project, ...paths];
  return (
    <Section title="Rules and trust">
      <p className={styles.intro}>
        Rules say which operations run, which are reviewed and which are refused. The highest group
        below that speaks of a call decides; what is refused is refused wherever that stands. What
        no rule speaks of is reviewed. The files are read anew for each call.
      </p>
      <div className={styles.stack}>
        <Select
          label="Rules in force for"
          help={project === null ? "A project adds its own rules, and yours for it." : undefined}
          options={[
            { id: EVERYWHERE, label: "Every project" },
            ...projects.map((path) => ({
              id: path,
              label: oneLine(baseName(path)),
              detail: oneLine(path),
            })),
          ]}
          value={project ?? EVERYWHERE}
          onChange={(id) => setSearch({ project: id === EVERYWHERE ? null : id })}
        />
        <Loaded query={policy} what="the rules" lines={8}>
          {(view) => (
            <>
              <ul className={styles.layers} aria-label="Rules, the deciding ones first">
                {shown(view, project).map((layer) => (
                  <RuleLayer key={layer.source} layer={layer} project={project} />
                ))}
              </ul>
              {project !== null && <TryCommand key={project} project={project} />}
            </>
          )}
        </Loaded>
      </div>
    </Section>
  );
}

/** The deciding ones first. Without a project there is no file of one. */
function shown(view: PolicyView, project: string | null): PolicyLayer[] {
  return view.layers.filter((l) => project !== null || l.source !== "project").reverse();
}
