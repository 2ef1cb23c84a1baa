/* SPDX-License-Identifier: MIT */
/* Decompression of Parquet pages, into as many bytes as the page's header says. What a header may
 * say is bounded by what the codec can make of so many bytes. */
#include "config.h"

#include <string.h>
#include <zlib.h>

#ifdef HAVE_SNAPPY
#include <snappy-c.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "core/data/parquet_internal.h"

enum { NONE, SNAPPY, GZIP, LZO, BROTLI, LZ4, ZSTD, LZ4_RAW };

/* The most bytes that one compressed byte may stand for: RFC 1951 has 1032, snappy copies 64 bytes
 * with 3, a zstd block of 4 bytes repeats 128 KiB. */
static size_t most_of_one(int codec)
{
    return codec == SNAPPY ? 22 : codec == GZIP ? 1032 : codec == ZSTD ? 32768 : 1;
}

const char *it_pq_codec_check(int codec, size_t n, size_t size)
{
#ifndef HAVE_SNAPPY
    if (codec == SNAPPY) {
        return "compressed with snappy, which this build lacks: install libsnappy-dev and build "
               "again";
    }
#endif
#ifndef HAVE_ZSTD
    if (codec == ZSTD) {
        return "compressed with zstd, which this build lacks: install libzstd-dev and build again";
    }
#endif
    if (codec == BROTLI || codec == LZO || codec == LZ4 || codec == LZ4_RAW) {
        return codec == BROTLI ? "compressed with brotli; write it again with snappy, zstd or gzip"
               : codec == LZO  ? "compressed with LZO; write it again with snappy, zstd or gzip"
                               : "compressed with LZ4; write it again with snappy, zstd or gzip";
    }
    if (codec < NONE || codec > LZ4_RAW) { return "compressed with a codec nobody knows"; }
    size_t most = n <= SIZE_MAX / 32768 - 2 ? (n + 1) * most_of_one(codec) : SIZE_MAX;
    bool fits = codec == NONE ? n == size : size <= most;
    return fits ? NULL : "the page's uncompressed size cannot be what its header says";
}

/* Members one after the other, as the gzip format allows. */
static bool unzip(const uint8_t *bytes, size_t n, uint8_t *out, size_t size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n, .next_out = out,
                  .avail_out = (uInt)size};
    if (n > UINT32_MAX || size > UINT32_MAX || inflateInit2(&z, 15 + 32) != Z_OK) { return false; }
    int code = inflate(&z, Z_FINISH);
    while (code == Z_STREAM_END && z.avail_in && z.avail_out && inflateReset(&z) == Z_OK) {
        code = inflate(&z, Z_FINISH);
    }
    inflateEnd(&z);
    return code == Z_STREAM_END && z.avail_out == 0;
}

const char *it_pq_decompress(int codec, const uint8_t *bytes, size_t n, uint8_t *out, size_t size)
{
    bool right = false;
    if (size == 0) { return NULL; } /* writers store nothing or an empty frame */
    if (codec == GZIP) { right = unzip(bytes, n, out, size); }
#ifdef HAVE_SNAPPY
    size_t length = 0;
    if (codec == SNAPPY) {
        const char *text = (const char *)bytes;
        right = snappy_uncompressed_length(text, n, &length) == SNAPPY_OK && length == size &&
                snappy_uncompress(text, n, (char *)out, &length) == SNAPPY_OK && length == size;
    }
#endif
#ifdef HAVE_ZSTD
    if (codec == ZSTD) { right = ZSTD_decompress(out, size, bytes, n) == size; }
#endif
    return right ? NULL : "the compressed page is broken";
}
