// mailparser ships no types. Only what the tests read of a mail is declared.
declare module 'mailparser' {
  interface Address {
    name: string;
    address?: string;
  }
  interface AddressField {
    value: Address[];
    text: string;
  }
  export interface ParsedMail {
    subject?: string;
    from?: AddressField;
    to?: AddressField;
    cc?: AddressField;
    bcc?: AddressField;
    messageId?: string;
    date?: Date;
    text?: string;
    html: string | false;
    headerLines: readonly { key: string; line: string }[];
    attachments: readonly unknown[];
  }
  export function simpleParser(
    source: string,
    options?: { skipHtmlToText?: boolean; skipTextToHtml?: boolean },
  ): Promise<ParsedMail>;
}
