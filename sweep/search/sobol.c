/*
 * sobol.c - search = sobol: Sobol' points with Owen scrambling.
 *
 * Point n of a dimension is the exclusive or of the direction numbers v_k over the bits k of the Gray code n ^ n/2
 * (Antonov and Saleev 1979). v_k = m_k * 2^(32-k), where m_1 ... m_s are given and the others follow from the
 * primitive polynomial x^s + a_1 x^(s-1) + ... + a_(s-1) x + 1:
 *
 *   m_k = 2 a_1 m_(k-1) ^ 4 a_2 m_(k-2) ^ ... ^ 2^(s-1) a_(s-1) m_(k-s+1) ^ 2^s m_(k-s) ^ m_(k-s)
 *
 * The numbers are those of S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional
 * projections", SIAM J. Sci. Comput. 30 (2008), set new-joe-kuo-6.
 *
 * Scrambling turns every bit by a hash of the bits above it and of the seed (B. Burley, "Practical hash-based Owen
 * scrambling", JCGT 9(4), 2020, after S. Laine and T. Karras 2011; constants by N. Vegdahl, "Building a better LK
 * hash", 2021), so every 2^m points starting at a multiple of 2^m still have one in each interval of length 2^-m.
 */
#include "sweep/search/search_impl.h"

extern const struct search_method sweep_search_sobol;

enum { BITS = 32, DEGREE_MAX = 9 };

/* From the second dimension on: degree, a_1 ... a_(s-1) as bits, m_1 ... m_s. */
static const struct {
    unsigned char degree, a;
    unsigned short m[DEGREE_MAX];
} numbers[SEARCH_SOBOL_MAX - 1] = {
    {1, 0, {1}},
    {2, 1, {1, 3}},
    {3, 1, {1, 3, 1}},
    {3, 2, {1, 1, 1}},
    {4, 1, {1, 1, 3, 3}},
    {4, 4, {1, 3, 5, 13}},
    {5, 2, {1, 1, 5, 5, 17}},
    {5, 4, {1, 1, 5, 5, 5}},
    {5, 7, {1, 1, 7, 11, 19}},
    {5, 11, {1, 1, 5, 1, 1}},
    {5, 13, {1, 1, 1, 3, 11}},
    {5, 14, {1, 3, 5, 5, 31}},
    {6, 1, {1, 3, 3, 9, 7, 49}},
    {6, 13, {1, 1, 1, 15, 21, 21}},
    {6, 16, {1, 3, 1, 13, 27, 49}},
    {6, 19, {1, 1, 1, 15, 7, 5}},
    {6, 22, {1, 3, 1, 15, 13, 25}},
    {6, 25, {1, 1, 5, 5, 19, 61}},
    {7, 1, {1, 3, 7, 11, 23, 15, 103}},
    {7, 4, {1, 3, 7, 13, 13, 15, 69}},
    {7, 7, {1, 1, 3, 13, 7, 35, 63}},
    {7, 8, {1, 3, 5, 9, 1, 25, 53}},
    {7, 14, {1, 3, 1, 13, 9, 35, 107}},
    {7, 19, {1, 3, 1, 5, 27, 61, 31}},
    {7, 21, {1, 1, 5, 11, 19, 41, 61}},
    {7, 28, {1, 3, 5, 3, 3, 13, 69}},
    {7, 31, {1, 1, 7, 13, 1, 19, 1}},
    {7, 32, {1, 3, 7, 5, 13, 19, 59}},
    {7, 37, {1, 1, 3, 9, 25, 29, 41}},
    {7, 41, {1, 3, 5, 13, 23, 1, 55}},
    {7, 42, {1, 3, 7, 3, 13, 59, 17}},
    {7, 50, {1, 3, 1, 3, 5, 53, 69}},
    {7, 55, {1, 1, 5, 5, 23, 33, 13}},
    {7, 56, {1, 1, 7, 7, 1, 61, 123}},
    {7, 59, {1, 1, 7, 9, 13, 61, 49}},
    {7, 62, {1, 3, 3, 5, 3, 55, 33}},
    {8, 14, {1, 3, 1, 15, 31, 13, 49, 245}},
    {8, 21, {1, 3, 5, 15, 31, 59, 63, 97}},
    {8, 22, {1, 3, 1, 11, 11, 11, 77, 249}},
    {8, 38, {1, 3, 1, 11, 27, 43, 71, 9}},
    {8, 47, {1, 1, 7, 15, 21, 11, 81, 45}},
    {8, 49, {1, 3, 7, 3, 25, 31, 65, 79}},
    {8, 50, {1, 3, 1, 1, 19, 11, 3, 205}},
    {8, 52, {1, 1, 5, 9, 19, 21, 29, 157}},
    {8, 56, {1, 3, 7, 11, 1, 33, 89, 185}},
    {8, 67, {1, 3, 3, 3, 15, 9, 79, 71}},
    {8, 70, {1, 3, 7, 11, 15, 39, 119, 27}},
    {8, 84, {1, 1, 3, 1, 11, 31, 97, 225}},
    {8, 97, {1, 1, 1, 3, 23, 43, 57, 177}},
    {8, 103, {1, 3, 7, 7, 17, 17, 37, 71}},
    {8, 115, {1, 3, 1, 5, 27, 63, 123, 213}},
    {8, 122, {1, 1, 3, 5, 11, 43, 53, 133}},
    {9, 8, {1, 3, 5, 5, 29, 17, 47, 173, 479}},
    {9, 13, {1, 3, 3, 11, 3, 1, 109, 9, 69}},
    {9, 16, {1, 1, 1, 5, 17, 39, 23, 5, 343}},
    {9, 22, {1, 3, 1, 5, 25, 15, 31, 103, 499}},
    {9, 25, {1, 1, 1, 11, 11, 17, 63, 105, 183}},
    {9, 44, {1, 1, 5, 11, 9, 29, 97, 231, 363}},
    {9, 47, {1, 1, 5, 15, 19, 45, 41, 7, 383}},
    {9, 52, {1, 3, 7, 7, 31, 19, 83, 137, 221}},
    {9, 55, {1, 1, 1, 3, 23, 15, 111, 223, 83}},
    {9, 59, {1, 1, 5, 13, 31, 15, 55, 25, 161}},
    {9, 62, {1, 1, 3, 13, 25, 47, 39, 87, 257}},
};

static void find_directions(uint32_t v[BITS], size_t dimension)
{
    if (dimension == 0) {
        for (int k = 0; k < BITS; k++)
            v[k] = UINT32_C(1) << (BITS - 1 - k);
        return;
    }
    const int s = numbers[dimension - 1].degree;
    const unsigned a = numbers[dimension - 1].a;
    for (int k = 0; k < BITS; k++) {
        if (k < s) {
            v[k] = (uint32_t) numbers[dimension - 1].m[k] << (BITS - 1 - k);
            continue;
        }
        v[k] = v[k - s] ^ v[k - s] >> s; /* shifts right: m_k stands 32 - k bits up */
        for (int i = 1; i < s; i++)
            v[k] ^= a >> (s - 1 - i) & 1 ? v[k - i] : 0;
    }
}

uint32_t sweep_search_sobol_point(uint32_t index, size_t dimension)
{
    uint32_t v[BITS], x = 0;

    find_directions(v, dimension);
    index ^= index >> 1;
    for (int k = 0; index; k++, index >>= 1)
        x ^= index & 1 ? v[k] : 0;
    return x;
}

static uint32_t reverse(uint32_t x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    x = (x & 0x00ff00ffu) << 8 | (x >> 8 & 0x00ff00ffu);
    return x << 16 | x >> 16;
}

uint32_t sweep_search_owen_scramble(uint32_t x, uint32_t seed)
{
    x = reverse(x);
    x ^= x * 0x3d20adeau;
    x += seed;
    x *= seed >> 16 | 1;
    x ^= x * 0x05526c56u;
    x ^= x * 0x53a22864u;
    return reverse(x);
}

static double suggest(const struct search *search, size_t param)
{
    const size_t dimension = search->dimensions[param];
    const uint32_t counter[4] = {(uint32_t) dimension, (uint32_t) SEARCH_USE_SCRAMBLE << 24, 0, 0};
    const uint32_t seed = sweep_search_philox(search->options.seed, counter).v[0];
    const uint32_t x =
        sweep_search_owen_scramble(sweep_search_sobol_point(search->draw, dimension), seed);

    return sweep_search_at(&search->params[param], (double) x * 0x1p-32);
}

const struct search_method sweep_search_sobol = {
    .name = "sobol",
    .help = "Sobol' points, Owen scrambled: spread evenly; best in numbers that are powers of two",
    .drawn = true,
    .suggest = suggest,
};
