/* Sound: a string tensor [1] with a WAV file of 16-bit PCM (Microsoft's RIFF layout). */
#include <math.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_writer_impl.h"

enum { CHANNELS_MAX = 8, RATE_MAX = 1 << 20, FRAMES_MAX = 1 << 24 };

static void put16(struct cs_buf *out, uint32_t value)
{
    const uint8_t bytes[2] = {(uint8_t) value, (uint8_t) (value >> 8)};

    cs_buf_add(out, bytes, sizeof bytes);
}

static void put32(struct cs_buf *out, uint32_t value)
{
    uint8_t bytes[4];

    tbw_store32(bytes, value);
    cs_buf_add(out, bytes, sizeof bytes);
}

static void put_wav(struct cs_buf *out, const struct tbw_audio *a)
{
    const size_t count = a->frames * (size_t) a->channels;
    const uint32_t size = (uint32_t) (2 * count), block = 2 * (uint32_t) a->channels;

    cs_buf_adds(out, "RIFF");
    put32(out, 36 + size);
    cs_buf_adds(out, "WAVEfmt ");
    put32(out, 16);
    put16(out, 1); /* PCM */
    put16(out, (uint32_t) a->channels);
    put32(out, (uint32_t) a->sample_rate);
    put32(out, block * (uint32_t) a->sample_rate);
    put16(out, block);
    put16(out, 16);
    cs_buf_adds(out, "data");
    put32(out, size);
    for (size_t i = 0; i < count; i++) {
        const float x = fminf(fmaxf(a->samples[i], -1), 1);
        put16(out, (uint32_t) (int32_t) (x * 32767));
    }
}

int tbw_writer_audio(tbw_writer *w, const char *tag, int64_t step, const struct tbw_audio *audio,
                     struct cs_error *err)
{
    struct cs_buf content = {0}, wav = {0};
    const struct tbw_what what = {.tag = tag,
                                  .step = step,
                                  .plugin = "audio",
                                  .content = &content,
                                  .description = audio->description,
                                  .data_class = TBW__DATA_CLASS__BLOB_SEQUENCE};

    if (audio->channels < 1 || audio->channels > CHANNELS_MAX || audio->sample_rate < 1 ||
        audio->sample_rate > RATE_MAX || audio->frames > FRAMES_MAX / CHANNELS_MAX)
        return cs_fail(err, CS_ERANGE, "audio of %d channels, %d a second, %zu frames",
                       audio->channels, audio->sample_rate, audio->frames);
    for (size_t i = 0; i < audio->frames * (size_t) audio->channels; i++)
        if (isnan(audio->samples[i]))
            return cs_fail(err, CS_ERANGE, "audio: sample %zu is not a number", i);
    put_wav(&wav, audio);
    tbw_put_varint(&content, 2 << 3); /* AudioPluginData.encoding: WAV */
    tbw_put_varint(&content, 11);
    ProtobufCBinaryData blob = {.len = wav.size, .data = (uint8_t *) wav.data};
    const int rc = tbw_writer_blobs(w, &what, &blob, 1, err);
    cs_buf_clear(&content);
    cs_buf_clear(&wav);
    return rc;
}
