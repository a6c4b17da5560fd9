import PDFParser from 'pdf2json';
import { request } from 'undici';

/** An answer whose body is bytes. */
export interface PdfReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Asks for a file as a browser does. */
export async function askPdf(url: string, token: string, headers: Record<string, string> = {}): Promise<PdfReply> {
  const reply = await request(url, { headers: { ...headers, authorization: `Bearer ${token}` } });
  return {
    status: reply.statusCode,
    headers: reply.headers,
    body: Buffer.from(await reply.body.arrayBuffer()),
  };
}

/** The words of a PDF, as somebody selects and copies them: read by a library that had no part in writing it. */
export function wordsOf(pdf: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const parser = new PDFParser(null, true);
    parser.on('pdfParser_dataError', (error) => reject(error instanceof Error ? error : error.parserError));
    parser.on('pdfParser_dataReady', () => resolve(parser.getRawTextContent()));
    parser.parseBuffer(pdf, -1); // silent
  });
}
