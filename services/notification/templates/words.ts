/**
 * The words of one message, as Handlebars sources over the facts of `facts.ts`. All are plain text: the layout escapes
 * them for HTML. `lead` is the first paragraph, the preview line of the mail and the message of the in-app list, so it
 * names no link and no secret. A paragraph that comes out empty is left out.
 */
export interface Words {
  subject: string;
  heading: string;
  lead: string;
  more: readonly string[];
  /** The label of the one button; where it leads is decided by `facts.ts`. */
  action: string;
}
