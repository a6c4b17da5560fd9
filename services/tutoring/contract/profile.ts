import { z } from 'zod';
import { DisplayName } from '../../../platform/names';
import { CalendarDate, HttpsUrl, Subject, TimeZone, text, Uuid } from '../../../platform/schemas';
import { KnownAvailability } from './availability';
import { PricingOption } from './pricing';

export const Education = z
  .strictObject({
    institution: text(1, 160),
    degree: text(1, 160),
    startYear: z.union([z.int().min(1900).max(2199), z.null()]).optional(),
    endYear: z.union([z.int().min(1900).max(2199), z.null()]).optional(),
  })
  .meta({ id: 'Education' });
export type Education = z.output<typeof Education>;

export const ProfileBody = z.strictObject({
  headline: text(1, 160),
  biography: text(1, 5_000),
  subjects: z.array(Subject).min(1).max(30).meta({ uniqueItems: true }),
  languages: z.array(text(2, 40)).min(1).max(20).meta({ uniqueItems: true }),
  timeZone: TimeZone,
  instantBooking: z.boolean(),
  displayName: DisplayName.optional(),
  education: z.array(Education).max(20).optional(),
});
export type ProfileBody = z.output<typeof ProfileBody>;
export const ProfilePatch = ProfileBody.partial();
export type ProfilePatch = z.output<typeof ProfilePatch>;

export const CertificationBody = z.strictObject({
  name: text(1, 160),
  issuer: text(1, 160),
  issuedOn: CalendarDate.optional(),
  expiresOn: CalendarDate.optional(),
  credentialUrl: HttpsUrl.optional(),
});
export type CertificationBody = z.output<typeof CertificationBody>;

export const Certification = z
  .strictObject({
    id: Uuid,
    name: z.string(),
    issuer: z.string(),
    issuedOn: z.union([z.iso.date(), z.null()]),
    expiresOn: z.union([z.iso.date(), z.null()]),
    credentialUrl: z.union([z.string(), z.null()]),
  })
  .meta({ id: 'Certification' });
export type Certification = z.output<typeof Certification>;

export const Tutor = z
  .strictObject({
    id: Uuid,
    userId: Uuid.meta({ description: "Equal to `id`: a tutor's id is their user's" }),
    displayName: z.string(),
    headline: z.string(),
    biography: z.string(),
    subjects: z.array(z.string()),
    languages: z.array(z.string()),
    timeZone: z.string(),
    instantBooking: z.boolean(),
    pricing: z.array(PricingOption),
    rating: z.strictObject({ average: z.union([z.number(), z.null()]), count: z.int() }),
    verified: z.boolean(),
    listed: z
      .boolean()
      .meta({ description: 'Has a completed profile, hours and an hourly price, so can be found and booked' }),
    education: z.array(Education),
    certifications: z.array(Certification),
  })
  .meta({ id: 'Tutor' });
export type Tutor = z.output<typeof Tutor>;

export const OwnTutor = z
  .strictObject({ ...Tutor.shape, availability: KnownAvailability })
  .meta({ id: 'OwnTutor', description: 'A tutor as they see themselves' });
export type OwnTutor = z.output<typeof OwnTutor>;
