// The part of CBLAS that numpy calls, for WebAssembly: one thread, registers of 128 bits.
//
// Products of matrices follow Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): both
// factors are copied, block by block, into the order in which a kernel reads them, and the kernel keeps its tile of the
// result in registers. Real and complex numbers of both sizes share the code; a complex factor is copied with its real
// and imaginary parts apart. The code needs no C++ library and throws nothing.
//
// Why not a library: OpenBLAS is not on the package index as source. BLIS is (blis 1.3.4), builds unchanged in two
// minutes of processor time, and was 2 to 4 times slower than this with its generic kernels.

#include <stddef.h>
#include <stdlib.h>

namespace {

typedef ptrdiff_t Index;

enum Order { row_major = 101, column_major = 102 };
enum Transpose { plain = 111, transposed = 112, conjugated = 113 };
enum Triangle { whole = 0, upper = 121, lower = 122 };

// Numbers of one kind: R is their part, `parts` is 2 for complex ones. A tile has `rows` rows, and `vectors` registers
// of `lanes` columns in each.
template <class R, int P> struct Numbers {
    typedef R Part;
    typedef R Lane __attribute__((vector_size(16)));
    static constexpr int parts = P;
    static constexpr int lanes = 16 / sizeof(R);
    static constexpr int rows = P == 1 ? 2 : 3;
    static constexpr int vectors = P == 1 ? 4 : 2;
    static constexpr int columns = lanes * vectors;
    // A block of the left factor is about 200 kB, for the second cache; a panel of the right one about 1 MB.
    static constexpr Index depth = 256;
    static constexpr Index height = rows * (200000 / (rows * depth * Index(sizeof(R)) * P));
    static constexpr Index width = columns * (1000000 / (columns * depth * Index(sizeof(R)) * P));
};

// A matrix by its steps, counted in numbers.
template <class R> struct View {
    const R *data;
    Index row, column;
    bool conjugate;

    View turned() const { return View{data, column, row, conjugate}; }
    View from(Index i, Index j, int parts) const {
        return View{data + (i * row + j * column) * parts, row, column, conjugate};
    }
};

template <class R> View<R> view(const void *data, Index stride, bool across, bool conjugate) {
    return across ? View<R>{static_cast<const R *>(data), 1, stride, conjugate}
                  : View<R>{static_cast<const R *>(data), stride, 1, conjugate};
}

// Copy `count` rows of a matrix into strips of `strip` rows, one column after the other; zeros fill up the last strip.
template <class N>
void pack(typename N::Part *out, const View<typename N::Part> &from, Index count, Index depth, const int strip) {
    typedef typename N::Part R;
    for (Index first = 0; first < count; first += strip) {
        const Index valid = count - first < strip ? count - first : strip;
        for (Index k = 0; k < depth; k++, out += strip * N::parts) {
            const R *at = from.data + (first * from.row + k * from.column) * N::parts;
            for (Index i = 0; i < valid; i++, at += from.row * N::parts) {
                out[i] = at[0];
                if (N::parts == 2) {
                    out[strip + i] = from.conjugate ? -at[1] : at[1];
                }
            }
            for (Index i = valid; i < strip; i++) {
                out[i] = 0;
                if (N::parts == 2) {
                    out[strip + i] = 0;
                }
            }
        }
    }
}

// Multiply a strip of the left factor by one of the right. The tile has the real parts row by row, then the imaginary.
template <class N> struct Kernel {
    typedef typename N::Part R;
    typedef typename N::Lane Lane;

    static void run(Index depth, const R *left, const R *right, R *tile) {
        Lane sum[N::parts][N::rows][N::vectors] = {};
        for (Index k = 0; k < depth; k++, left += N::rows * N::parts, right += N::columns * N::parts) {
            Lane b[N::parts][N::vectors];
#pragma clang loop unroll(full)
            for (int part = 0; part < N::parts; part++) {
#pragma clang loop unroll(full)
                for (int v = 0; v < N::vectors; v++) {
                    b[part][v] = *reinterpret_cast<const Lane *>(right + part * N::columns + v * N::lanes);
                }
            }
#pragma clang loop unroll(full)
            for (int i = 0; i < N::rows; i++) {
#pragma clang loop unroll(full)
                for (int v = 0; v < N::vectors; v++) {
                    sum[0][i][v] += b[0][v] * left[i];
                    if constexpr (N::parts == 2) {
                        sum[1][i][v] += b[1][v] * left[i];
                        sum[0][i][v] -= b[1][v] * left[N::rows + i];
                        sum[1][i][v] += b[0][v] * left[N::rows + i];
                    }
                }
            }
        }
        __builtin_memcpy(tile, sum, sizeof sum);
    }
};

// c = alpha * tile + c, within the matrix and the triangle.
template <class N>
void add(typename N::Part *c, Index stride, const typename N::Part *tile, const typename N::Part *alpha, Index i,
         Index j, Index m, Index n, Triangle triangle) {
    typedef typename N::Part R;
    const R *imaginary = tile + N::rows * N::columns;
    for (Index y = 0; y < N::rows && i + y < m; y++) {
        R *row = c + ((i + y) * stride + j) * N::parts;
        Index from = 0, to = n - j < N::columns ? n - j : N::columns;
        if (triangle == upper && i + y - j > from) from = i + y - j;
        if (triangle == lower && i + y - j + 1 < to) to = i + y - j + 1;
        for (Index x = from; x < to; x++) {
            const R real = tile[y * N::columns + x];
            if constexpr (N::parts == 1) {
                row[x] += alpha[0] * real;
            } else {
                const R other = imaginary[y * N::columns + x];
                row[2 * x] += alpha[0] * real - alpha[1] * other;
                row[2 * x + 1] += alpha[0] * other + alpha[1] * real;
            }
        }
    }
}

// Multiply numbers by a factor; a factor of zero overwrites them, whatever they were.
template <class N> void scale(typename N::Part *at, Index count, Index stride, const typename N::Part *beta) {
    typedef typename N::Part R;
    const bool nothing = beta[0] == 0 && (N::parts == 1 || beta[1] == 0);
    if (beta[0] == 1 && (N::parts == 1 || beta[1] == 0)) return;
    for (Index i = 0; i < count; i++, at += stride * N::parts) {
        const R real = at[0];
        if constexpr (N::parts == 1) {
            at[0] = nothing ? 0 : beta[0] * real;
        } else {
            const R other = at[1];
            at[0] = nothing ? 0 : beta[0] * real - beta[1] * other;
            at[1] = nothing ? 0 : beta[0] * other + beta[1] * real;
        }
    }
}

Index least(Index a, Index b) { return a < b ? a : b; }

Index rounded(Index count, Index step) { return (count + step - 1) / step * step; }

// c = alpha * a * b + beta * c, where c is stored row by row.
template <class N>
void multiply(Index m, Index n, Index k, const typename N::Part *alpha, View<typename N::Part> a,
              View<typename N::Part> b, const typename N::Part *beta, typename N::Part *c, Index stride,
              Triangle triangle) {
    typedef typename N::Part R;
    if (m <= 0 || n <= 0) return;
    for (Index i = 0; i < m; i++) {
        const Index from = triangle == upper ? i : 0, to = triangle == lower ? least(i + 1, n) : n;
        scale<N>(c + (i * stride + from) * N::parts, to - from, 1, beta);
    }
    // Without memory for the copies, the strips of one short tile on the stack do.
    constexpr Index shallow = 16;
    alignas(16) R spare[N::parts * shallow * (N::rows + N::columns)];
    const Index most = least(k, N::depth) * N::parts;
    const Index left_size = rounded(most * rounded(least(m, N::height), N::rows), N::lanes);
    const Index right_size = most * rounded(least(n, N::width), N::columns);
    R *block = static_cast<R *>(malloc((left_size + right_size) * sizeof(R)));
    R *left = block ? block : spare;
    R *right = block ? block + left_size : spare + N::parts * shallow * N::rows;
    const Index deep = block ? N::depth : shallow, high = block ? N::height : N::rows;
    const Index wide = block ? N::width : N::columns;
    alignas(16) R tile[N::parts * N::rows * N::columns];
    for (Index y = 0; y < n; y += wide) {
        const Index columns = least(wide, n - y);
        for (Index z = 0; z < k; z += deep) {
            const Index layers = least(deep, k - z);
            pack<N>(right, b.turned().from(y, z, N::parts), columns, layers, N::columns);
            for (Index x = 0; x < m; x += high) {
                const Index rows = least(high, m - x);
                pack<N>(left, a.from(x, z, N::parts), rows, layers, N::rows);
                for (Index j = 0; j < columns; j += N::columns) {
                    for (Index i = 0; i < rows; i += N::rows) {
                        if (triangle == upper && x + i > y + j + N::columns - 1) continue;
                        if (triangle == lower && x + i + N::rows - 1 < y + j) continue;
                        Kernel<N>::run(layers, left + i * layers * N::parts, right + j * layers * N::parts, tile);
                        add<N>(c, stride, tile, alpha, x + i, y + j, m, n, triangle);
                    }
                }
            }
        }
    }
    free(block);
}

// The first of `count` numbers with a step; a negative step begins at the end, as BLAS has it.
template <class R> R *start(R *data, Index count, Index step, int parts) {
    return step < 0 ? data - (count - 1) * step * parts : data;
}

// The sum of products of two rows of numbers. The compiler orders the additions, and so uses registers of 128 bits.
template <class N>
void dot(Index count, const typename N::Part *x, Index x_step, bool conjugate, const typename N::Part *y, Index y_step,
         typename N::Part *out) {
#pragma clang fp reassociate(on)
    typedef typename N::Part R;
    if constexpr (N::parts == 1) {
        R sum = 0;
        if (x_step == 1 && y_step == 1) {
#pragma clang loop interleave_count(4)
            for (Index i = 0; i < count; i++) sum += x[i] * y[i];
        } else {
            for (Index i = 0; i < count; i++) sum += x[i * x_step] * y[i * y_step];
        }
        out[0] = sum;
    } else {
        R both = 0, neither = 0, mixed = 0, crossed = 0;
        for (Index i = 0; i < count; i++, x += 2 * x_step, y += 2 * y_step) {
            both += x[0] * y[0];
            neither += x[1] * y[1];
            mixed += x[0] * y[1];
            crossed += x[1] * y[0];
        }
        out[0] = conjugate ? both + neither : both - neither;
        out[1] = conjugate ? mixed - crossed : mixed + crossed;
    }
}

// y = alpha * x + y.
template <class N>
void add_scaled(Index count, const typename N::Part *alpha, const typename N::Part *x, Index x_step, bool conjugate,
                typename N::Part *y, Index y_step) {
    typedef typename N::Part R;
    if constexpr (N::parts == 1) {
        const R factor = alpha[0];
        if (x_step == 1 && y_step == 1) {
            for (Index i = 0; i < count; i++) y[i] += factor * x[i];
        } else {
            for (Index i = 0; i < count; i++) y[i * y_step] += factor * x[i * x_step];
        }
    } else {
        const R real = alpha[0], other = alpha[1], sign = conjugate ? -1 : 1;
        for (Index i = 0; i < count; i++, x += 2 * x_step, y += 2 * y_step) {
            const R turned = sign * x[1];
            y[0] += real * x[0] - other * turned;
            y[1] += real * turned + other * x[0];
        }
    }
}

// y = alpha * a * x + beta * y, for a matrix of m rows and n columns.
template <class N>
void apply(Index m, Index n, const typename N::Part *alpha, const View<typename N::Part> &a, const typename N::Part *x,
           Index x_step, const typename N::Part *beta, typename N::Part *y, Index y_step) {
    typedef typename N::Part R;
    if (m <= 0) return;
    x = start(x, n, x_step, N::parts);
    y = start(y, m, y_step, N::parts);
    scale<N>(y, m, y_step, beta);
    if (a.column == 1) {
        for (Index i = 0; i < m; i++) {
            R sum[2] = {0, 0};
            dot<N>(n, a.data + i * a.row * N::parts, 1, a.conjugate, x, x_step, sum);
            add_scaled<N>(1, alpha, sum, 1, false, y + i * y_step * N::parts, 1);
        }
        return;
    }
    for (Index j = 0; j < n; j++) {
        R factor[2] = {0, 0};
        add_scaled<N>(1, alpha, x + j * x_step * N::parts, 1, false, factor, 1);
        add_scaled<N>(m, factor, a.data + j * a.column * N::parts, a.row, a.conjugate, y, y_step);
    }
}

template <class N>
void gemm(Order order, Transpose left, Transpose right, int m, int n, int k, const typename N::Part *alpha,
          const void *a, int a_stride, const void *b, int b_stride, const typename N::Part *beta, void *c,
          int c_stride) {
    typedef typename N::Part R;
    const bool columns = order == column_major;
    const View<R> x = view<R>(a, a_stride, columns != (left != plain), left == conjugated);
    const View<R> y = view<R>(b, b_stride, columns != (right != plain), right == conjugated);
    R *out = static_cast<R *>(c);
    if (columns) {
        multiply<N>(n, m, k, alpha, y.turned(), x.turned(), beta, out, c_stride, whole);
    } else {
        multiply<N>(m, n, k, alpha, x, y, beta, out, c_stride, whole);
    }
}

template <class N>
void syrk(Order order, Triangle triangle, Transpose transpose, int n, int k, const typename N::Part *alpha,
          const void *a, int stride, const typename N::Part *beta, void *c, int c_stride) {
    typedef typename N::Part R;
    const bool columns = order == column_major;
    const View<R> x = view<R>(a, stride, columns != (transpose != plain), false);
    const Triangle stored = columns ? (triangle == upper ? lower : upper) : triangle;
    multiply<N>(n, n, k, alpha, x, x.turned(), beta, static_cast<R *>(c), c_stride, stored);
}

template <class N>
void gemv(Order order, Transpose transpose, int m, int n, const typename N::Part *alpha, const void *a, int stride,
          const void *x, int x_step, const typename N::Part *beta, void *y, int y_step) {
    typedef typename N::Part R;
    const View<R> matrix = view<R>(a, stride, (order == column_major) != (transpose != plain), transpose == conjugated);
    const bool turned = transpose != plain;
    apply<N>(turned ? n : m, turned ? m : n, alpha, matrix, static_cast<const R *>(x), x_step, beta,
             static_cast<R *>(y), y_step);
}

Transpose transpose_of(char letter) {
    const char known = letter | 32;
    return known == 'n' ? plain : known == 'c' ? conjugated : transposed;
}

} // namespace

// The C interface, once for real and once for complex numbers, whose factors are passed by address.
#define BLAS(letter, R, P, FACTOR, AT)                                                                                 \
    void cblas_##letter##gemm(Order order, Transpose left, Transpose right, int m, int n, int k, FACTOR(R) alpha,      \
                              const void *a, int a_stride, const void *b, int b_stride, FACTOR(R) beta, void *c,       \
                              int c_stride) {                                                                          \
        gemm<Numbers<R, P>>(order, left, right, m, n, k, AT(R, alpha), a, a_stride, b, b_stride, AT(R, beta), c,       \
                            c_stride);                                                                                 \
    }                                                                                                                  \
    void cblas_##letter##syrk(Order order, Triangle triangle, Transpose transpose, int n, int k, FACTOR(R) alpha,      \
                              const void *a, int stride, FACTOR(R) beta, void *c, int c_stride) {                      \
        syrk<Numbers<R, P>>(order, triangle, transpose, n, k, AT(R, alpha), a, stride, AT(R, beta), c, c_stride);      \
    }                                                                                                                  \
    void cblas_##letter##gemv(Order order, Transpose transpose, int m, int n, FACTOR(R) alpha, const void *a,          \
                              int stride, const void *x, int x_step, FACTOR(R) beta, void *y, int y_step) {            \
        gemv<Numbers<R, P>>(order, transpose, m, n, AT(R, alpha), a, stride, x, x_step, AT(R, beta), y, y_step);       \
    }                                                                                                                  \
    void cblas_##letter##axpy(int n, FACTOR(R) alpha, const R *x, int x_step, R *y, int y_step) {                      \
        add_scaled<Numbers<R, P>>(n, AT(R, alpha), start(x, n, x_step, P), x_step, false, start(y, n, y_step, P),      \
                                  y_step);                                                                             \
    }
#define VALUE(R) R
#define POINTER(R) const void *
#define ADDRESS(R, name) &name
#define READ(R, name) static_cast<const R *>(name)

#define DOT(letter, R)                                                                                                 \
    R cblas_##letter##dot(int n, const R *x, int x_step, const R *y, int y_step) {                                     \
        R out;                                                                                                         \
        dot<Numbers<R, 1>>(n, start(x, n, x_step, 1), x_step, false, start(y, n, y_step, 1), y_step, &out);            \
        return out;                                                                                                    \
    }
#define COMPLEX_DOT(name, R, conjugate)                                                                                \
    void cblas_##name##_sub(int n, const R *x, int x_step, const R *y, int y_step, R *out) {                           \
        dot<Numbers<R, 2>>(n, start(x, n, x_step, 2), x_step, conjugate, start(y, n, y_step, 2), y_step, out);         \
    }

extern "C" {
BLAS(s, float, 1, VALUE, ADDRESS)
BLAS(d, double, 1, VALUE, ADDRESS)
BLAS(c, float, 2, POINTER, READ)
BLAS(z, double, 2, POINTER, READ)
DOT(s, float)
DOT(d, double)
COMPLEX_DOT(cdotu, float, false)
COMPLEX_DOT(cdotc, float, true)
COMPLEX_DOT(zdotu, double, false)
COMPLEX_DOT(zdotc, double, true)

// meson takes a library for BLAS if it has this name of Fortran's.
void dgemm_(const char *left, const char *right, const int *m, const int *n, const int *k, const double *alpha,
            const double *a, const int *a_stride, const double *b, const int *b_stride, const double *beta, double *c,
            const int *c_stride) {
    gemm<Numbers<double, 1>>(column_major, transpose_of(*left), transpose_of(*right), *m, *n, *k, alpha, a, *a_stride,
                             b, *b_stride, beta, c, *c_stride);
}
}
