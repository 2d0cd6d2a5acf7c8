import { memo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { plain } from "../lib/plain";
import { CodeBlock } from "./CodeBlock";
import { ExternalLink, isSafeLink } from "./ExternalLink";
import styles from "./Markdown.module.css";

const components: Components = {
  a: ({ href, children }) =>
    isSafeLink(href) ? (
      <ExternalLink href={href}>{children}</ExternalLink>
    ) : (
      <span>{children}</span>
    ),
  // Images never load: whoever wrote this could learn that it was read.
  img: ({ alt, src }) => (
    <span className={styles.image}>[image: {alt || (typeof src === "string" ? src : "")}]</span>
  ),
  pre: ({ node, children }) => {
    const code = node?.children[0];
    const text =
      code?.type === "element"
        ? code.children.map((child) => (child.type === "text" ? child.value : "")).join("")
        : null;
    return text === null ? <pre>{children}</pre> : <CodeBlock text={text} label="Code" />;
  },
  table: ({ children }) => (
    <div className={styles.table}>
      <table>{children}</table>
    </div>
  ),
  // An agent's headings must not stand among the page's own.
  h1: ({ children }) => <p className={styles.heading}>{children}</p>,
  h2: ({ children }) => <p className={styles.heading}>{children}</p>,
  h3: ({ children }) => <p className={styles.heading}>{children}</p>,
  h4: ({ children }) => <p className={styles.heading}>{children}</p>,
  h5: ({ children }) => <p className={styles.heading}>{children}</p>,
  h6: ({ children }) => <p className={styles.heading}>{children}</p>,
};

const plugins = [remarkGfm];

/** What an agent wrote, as text with structure: no HTML, no images, links ask. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className={styles.markdown}>
      <ReactMarkdown remarkPlugins={plugins} components={components} skipHtml>
        {plain(text)}
      </ReactMarkdown>
    </div>
  );
});
