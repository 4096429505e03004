// The cells of plain delimited text, and numbers as text, in bulk and without the GIL.
//
// Each function takes what is plain and leaves the rest to Python, which decides what it means: see frames/
// text.py, kinds.py and written.py. Offsets are int32 and into one block; all buffers are checked against each other.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

constexpr Py_ssize_t kFieldLimit = 1024 * 1024;  // FIELD_LIMIT of text.py, in bytes

class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (view.obj != nullptr) PyBuffer_Release(&view);
    }
    template <class T> T* as() const { return static_cast<T*>(view.buf); }
    template <class T> Py_ssize_t count() const { return view.len / static_cast<Py_ssize_t>(sizeof(T)); }
    Py_buffer view{};
};

class NoGil {
  public:
    NoGil() : state_(PyEval_SaveThread()) {}
    NoGil(const NoGil&) = delete;
    NoGil& operator=(const NoGil&) = delete;
    ~NoGil() { PyEval_RestoreThread(state_); }

  private:
    PyThreadState* state_;
};

template <class Body> PyObject* guarded(Body body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
        return nullptr;
    }
}

// ---- cells ---------------------------------------------------------------------------------------------------------

struct Table {
    Py_ssize_t width, capacity;
    int32_t *starts, *ends;  // [width, capacity]
};

// Finds the end of a cell in quotes, whose doubled quotes become single ones in place; null where it is not plain.
char* quoted(char* p, char* const end, const char quote, char*& stop) {
    for (char* out = p; p < end; ++p) {
        if (*p == quote) {
            if (p + 1 == end || p[1] != quote) {
                stop = out;
                return p + 1;
            }
            ++p;
        } else if (*p == '\n' || *p == '\r' || *p == '\0') {
            return nullptr;
        }
        if (out != p) *out = *p;
        ++out;
    }
    return nullptr;
}

// Returns the number of rows, or -1 where there is anything but rows of `width` cells, each on a line.
Py_ssize_t split_rows(char* const data, Py_ssize_t size, char delimiter, int quote, const Table& table) {
    bool special[256] = {};
    for (const char mark : {'\n', '\r', '\0', delimiter}) special[static_cast<unsigned char>(mark)] = true;
    char* p = data;
    char* const end = data + size;
    Py_ssize_t row = 0;
    for (; p < end; ++row) {
        if (row == table.capacity) return -1;
        for (Py_ssize_t column = 0;; ++column) {
            if (column == table.width) return -1;
            char *start = p, *stop = nullptr;
            if (quote >= 0 && p < end && *p == static_cast<char>(quote)) {
                start = p + 1;
                p = quoted(start, end, static_cast<char>(quote), stop);
                if (p == nullptr || (p < end && !special[static_cast<unsigned char>(*p)])) return -1;
            } else {
                while (p < end && !special[static_cast<unsigned char>(*p)]) ++p;
                stop = p;
                if (table.width == 1 && start == stop) return -1;  // An empty line is no row.
            }
            if (stop - start > kFieldLimit) return -1;
            table.starts[column * table.capacity + row] = static_cast<int32_t>(start - data);
            table.ends[column * table.capacity + row] = static_cast<int32_t>(stop - data);
            const char mark = p < end ? *p++ : '\n';
            if (mark == delimiter) continue;
            if (mark == '\0' || column + 1 < table.width) return -1;
            if (mark == '\r' && (p == end || *p++ != '\n')) return -1;
            break;
        }
    }
    return row;
}

PyObject* split(PyObject*, PyObject* args) {
    Buffer data, starts, ends;
    int delimiter = 0, quote = 0;
    Py_ssize_t width = 0;
    if (!PyArg_ParseTuple(args, "y*iinw*w*", &data.view, &delimiter, &quote, &width, &starts.view, &ends.view))
        return nullptr;
    return guarded([&]() -> PyObject* {
        if (width < 1 || starts.view.len != ends.view.len || data.view.len > INT32_MAX)
            throw std::invalid_argument("split: buffers that do not fit together");
        const Table table{width, starts.count<int32_t>() / width, starts.as<int32_t>(), ends.as<int32_t>()};
        Py_ssize_t rows = 0;
        {
            const NoGil released;
            rows = split_rows(data.as<char>(), data.view.len, static_cast<char>(delimiter), quote, table);
        }
        return PyLong_FromSsize_t(rows);
    });
}

// The cells of one column.
struct Cells {
    Buffer data, starts, ends;

    void check(const Buffer* out, size_t item) const {
        const Py_ssize_t rows = count();
        if (starts.view.len != ends.view.len || (out != nullptr && out->view.len < rows * static_cast<Py_ssize_t>(item)))
            throw std::invalid_argument("cells: buffers that do not fit together");
        for (Py_ssize_t row = 0; row < rows; ++row) {
            const int32_t start = starts.as<int32_t>()[row], end = ends.as<int32_t>()[row];
            if (start < 0 || start > end || end > data.view.len) throw std::invalid_argument("cells: an offset outside");
        }
    }
    Py_ssize_t count() const { return starts.count<int32_t>(); }
    std::string_view operator[](Py_ssize_t row) const {
        const int32_t start = starts.as<int32_t>()[row];
        return {data.as<const char>() + start, static_cast<size_t>(ends.as<int32_t>()[row] - start)};
    }
};

// ---- numbers in text -----------------------------------------------------------------------------------------------

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Decimal {
    uint64_t digits = 0;
    int exponent = 0;
    bool exact = true;  // whether `digits` has all digits and no more than a double holds
};

// Reads digits[.digits][e[+-]digits]; false for anything else.
bool scan(const char* p, const char* const end, char point, Decimal& number) {
    bool any = false, fraction = false;
    for (; p < end; ++p) {
        if (*p == point && !fraction) {
            fraction = true;
            continue;
        }
        if (!is_digit(*p)) break;
        any = true;
        if (number.digits <= (uint64_t{1} << 53) / 10 - 1)
            number.digits = number.digits * 10 + static_cast<uint64_t>(*p - '0');
        else
            number.exact = false;
        number.exponent -= fraction;
    }
    if (!any) return false;
    if (p == end) return true;
    if (*p != 'e' && *p != 'E') return false;
    bool negative = false;
    if (++p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end || end - p > 4) return false;
    int exponent = 0;
    for (; p < end; ++p) {
        if (!is_digit(*p)) return false;
        exponent = exponent * 10 + (*p - '0');
    }
    number.exponent += negative ? -exponent : exponent;
    return true;
}

constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Any number; false where the library cannot read it, or it is too large.
bool slow_number(std::string_view text, char point, double& value) {
#if defined(__cpp_lib_to_chars)
    char copy[128];
    if (text.size() > sizeof copy) return false;
    std::memcpy(copy, text.data(), text.size());
    if (char* mark = static_cast<char*>(std::memchr(copy, point, text.size()))) *mark = '.';
    const auto [stop, error] = std::from_chars(copy, copy + text.size(), value);
    return error == std::errc() && stop == copy + text.size();
#else
    (void)text, (void)point, (void)value;
    return false;
#endif
}

// Reads a cell: a number, nothing but blanks (NaN), or what Python must look at (false). Both operands of the one
// operation are exact, so the result is the nearest double (Clinger 1990).
bool read_number(std::string_view cell, char point, bool refuse_zeros, double& value) {
    const char *p = cell.data(), *end = p + cell.size();
    while (p < end && (*p == ' ' || *p == '\t')) ++p;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) --end;
    if (p == end) {
        value = std::nan("");
        return true;
    }
    const bool negative = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    if (refuse_zeros && end - p > 1 && *p == '0' && is_digit(p[1])) return false;
    Decimal number;
    if (!scan(p, end, point, number)) return false;
    const int size = std::abs(number.exponent);
    if (number.exact && size <= 22) {
        const double digits = static_cast<double>(number.digits);
        value = number.exponent < 0 ? digits / kPowers[size] : digits * kPowers[size];
    } else if (!slow_number({p, static_cast<size_t>(end - p)}, point, value)) {
        return false;
    }
    if (negative) value = -value;
    return true;
}

PyObject* numbers(PyObject*, PyObject* args) {
    Cells cells;
    Buffer values, odd;
    int point = '.', refuse_zeros = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*ipw*w*", &cells.data.view, &cells.starts.view, &cells.ends.view, &point,
                          &refuse_zeros, &values.view, &odd.view))
        return nullptr;
    return guarded([&]() -> PyObject* {
        Py_ssize_t found = 0;
        {
            const NoGil released;
            cells.check(&values, sizeof(double));
            cells.check(&odd, sizeof(int32_t));
            for (Py_ssize_t row = 0; row < cells.count(); ++row) {
                double value = 0;
                if (!read_number(cells[row], static_cast<char>(point), refuse_zeros != 0, value)) {
                    odd.as<int32_t>()[found++] = static_cast<int32_t>(row);
                    value = std::nan("");
                }
                values.as<double>()[row] = value;
            }
        }
        return PyLong_FromSsize_t(found);
    });
}

// ---- words ---------------------------------------------------------------------------------------------------------

uint64_t hashed(std::string_view text) {
    uint64_t hash = 0x9E3779B97F4A7C15u ^ text.size();
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, text.size() - at);
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    return hash ^ (hash >> 32);
}

// Numbers distinct texts in the order in which they first come.
class Words {
  public:
    int32_t code(std::string_view text) {
        if (words.size() * 2 >= places_.size()) grow();
        int32_t& place = find(text);
        if (place < 0) {
            place = static_cast<int32_t>(words.size());
            words.push_back(text);
        }
        return place;
    }
    std::vector<std::string_view> words;

  private:
    int32_t& find(std::string_view text) {
        size_t at = hashed(text) & (places_.size() - 1);
        while (places_[at] >= 0 && words[static_cast<size_t>(places_[at])] != text) at = (at + 1) & (places_.size() - 1);
        return places_[at];
    }
    void grow() {
        places_.assign(places_.size() * 4, -1);
        for (size_t index = 0; index < words.size(); ++index) find(words[index]) = static_cast<int32_t>(index);
    }
    std::vector<int32_t> places_ = std::vector<int32_t>(64, -1);
};

PyObject* text_list(const std::vector<std::string_view>& words) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(words.size()));
    for (size_t index = 0; list != nullptr && index < words.size(); ++index) {
        PyObject* text =
            PyUnicode_DecodeUTF8(words[index].data(), static_cast<Py_ssize_t>(words[index].size()), "strict");
        if (text == nullptr || PyList_SetItem(list, static_cast<Py_ssize_t>(index), text) < 0) {
            Py_DECREF(list);
            return nullptr;
        }
    }
    return list;
}

PyObject* codes(PyObject*, PyObject* args) {
    Cells cells;
    Buffer out;
    if (!PyArg_ParseTuple(args, "y*y*y*w*", &cells.data.view, &cells.starts.view, &cells.ends.view, &out.view))
        return nullptr;
    return guarded([&]() -> PyObject* {
        Words words;
        {
            const NoGil released;
            cells.check(&out, sizeof(int32_t));
            for (Py_ssize_t row = 0; row < cells.count(); ++row) out.as<int32_t>()[row] = words.code(cells[row]);
        }
        return text_list(words.words);
    });
}

PyObject* texts(PyObject*, PyObject* args) {
    Cells cells;
    if (!PyArg_ParseTuple(args, "y*y*y*", &cells.data.view, &cells.starts.view, &cells.ends.view)) return nullptr;
    return guarded([&]() -> PyObject* {
        cells.check(nullptr, 0);
        std::vector<std::string_view> found;
        for (Py_ssize_t row = 0; row < cells.count(); ++row) found.push_back(cells[row]);
        return text_list(found);
    });
}

// ---- numbers as text -----------------------------------------------------------------------------------------------

constexpr size_t kNumberSize = 40;

char* put(char* out, std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

// Writes the fewest digits that give the number back, laid out as Python writes a float.
template <class T> char* put_number(char* out, T value) {
    if (std::isnan(value)) return put(out, "nan");
    if (std::signbit(value)) *out++ = '-';
    value = std::abs(value);
    if (std::isinf(value)) return put(out, "inf");
    char text[kNumberSize];  // d.ddde+dd
    const char* const stop = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    const char* const mark = static_cast<const char*>(std::memchr(text, 'e', static_cast<size_t>(stop - text)));
    int exponent = 0;
    for (const char* p = mark + 2; p < stop; ++p) exponent = exponent * 10 + (*p - '0');
    if (exponent > (mark[1] == '-' ? 4 : 15)) return put(out, {text, static_cast<size_t>(stop - text)});
    char digits[kNumberSize];
    digits[0] = text[0];
    int count = 1;
    for (const char* p = text + 2; p < mark; ++p) digits[count++] = *p;
    if (mark[1] == '-') {
        out = put(out, {"0.000", static_cast<size_t>(exponent) + 1});
        return put(out, {digits, static_cast<size_t>(count)});
    }
    for (int place = 0; place <= exponent; ++place) *out++ = place < count ? digits[place] : '0';
    *out++ = '.';
    if (count <= exponent + 1) *out++ = '0';
    for (int place = exponent + 1; place < count; ++place) *out++ = digits[place];
    return out;
}

// A float32 has the digits of one, though it comes as a double.
char* put_shortest(char* out, double value) {
    const bool narrow = std::abs(value) <= std::numeric_limits<float>::max() &&
                        static_cast<double>(static_cast<float>(value)) == value;
    return narrow ? put_number(out, static_cast<float>(value)) : put_number(out, value);
}

// Writes a text as a cell of CSV: in quotes where it has a delimiter or a quote in it. Cells hold no line ends.
char* put_csv(char* out, std::string_view text) {
    if (text.find_first_of(",\"") == std::string_view::npos) return put(out, text);
    *out++ = '"';
    for (const char mark : text) {
        if (mark == '"') *out++ = '"';
        *out++ = mark;
    }
    *out++ = '"';
    return out;
}

// One column of a table to write: numbers, or where there are labels, a code for each row; or else cells as CSV.
struct Written {
    Buffer values;
    std::vector<std::string_view> labels;
    std::unique_ptr<Cells> cells;

    // The bytes that all rows take at most.
    size_t size(size_t rows) const {
        size_t sum = 0;
        for (size_t row = 0; cells && row < rows; ++row) sum += 2 * (*cells)[static_cast<Py_ssize_t>(row)].size() + 2;
        return cells ? sum : rows * widest();
    }
    size_t widest() const {
        size_t most = labels.empty() ? kNumberSize : 0;
        for (const auto label : labels) most = std::max(most, label.size());
        return most;
    }
    char* put_row(char* out, Py_ssize_t row) const {
        if (cells) return put_csv(out, (*cells)[row]);
        if (labels.empty()) return put_shortest(out, values.as<double>()[row]);
        return put(out, labels[static_cast<size_t>(values.as<int32_t>()[row])]);
    }
    void check(Py_ssize_t expected) const {
        if (cells) {
            cells->check(nullptr, 0);
            if (cells->count() != expected) throw std::invalid_argument("lines: columns that do not fit together");
            return;
        }
        if ((labels.empty() ? values.count<double>() : values.count<int32_t>()) != expected)
            throw std::invalid_argument("lines: columns that do not fit together");
        for (Py_ssize_t row = 0; !labels.empty() && row < expected; ++row) {
            const int32_t code = values.as<int32_t>()[row];
            if (code < 0 || static_cast<size_t>(code) >= labels.size())
                throw std::invalid_argument("lines: a code without a label");
        }
    }
};

// Appends the bytes objects of a list as views; false with a Python error.
bool views(PyObject* list, std::vector<std::string_view>& found) {
    for (Py_ssize_t index = 0; index < PyList_Size(list); ++index) {
        char* text = nullptr;
        Py_ssize_t size = 0;
        if (PyBytes_AsStringAndSize(PyList_GetItem(list, index), &text, &size) < 0) return false;
        found.emplace_back(text, static_cast<size_t>(size));
    }
    return true;
}

bool read_column(PyObject* item, Written& column) {
    PyObject* labels = nullptr;
    if (PyTuple_Size(item) == 3) {
        column.cells = std::make_unique<Cells>();
        Cells& cells = *column.cells;
        return PyArg_ParseTuple(item, "y*y*y*", &cells.data.view, &cells.starts.view, &cells.ends.view) != 0;
    }
    if (!PyArg_ParseTuple(item, "y*O!", &column.values.view, &PyList_Type, &labels)) return false;
    return views(labels, column.labels);
}

PyObject* lines(PyObject*, PyObject* args) {
    Py_ssize_t rows = 0;
    PyObject *between = nullptr, *columns = nullptr;
    if (!PyArg_ParseTuple(args, "nO!O!", &rows, &PyList_Type, &between, &PyList_Type, &columns)) return nullptr;
    return guarded([&]() -> PyObject* {
        std::vector<std::string_view> pieces;
        if (!views(between, pieces)) return nullptr;
        const size_t count = static_cast<size_t>(PyList_Size(columns));
        if (pieces.size() != count + 1 || rows < 0) throw std::invalid_argument("lines: expected a piece around each cell");
        std::vector<std::unique_ptr<Written>> written;
        size_t size = 0;
        for (size_t index = 0; index < count; ++index) {
            written.push_back(std::make_unique<Written>());
            if (!read_column(PyList_GetItem(columns, static_cast<Py_ssize_t>(index)), *written.back())) return nullptr;
            written.back()->check(rows);
            size += written.back()->size(static_cast<size_t>(rows));
        }
        for (const auto piece : pieces) size += piece.size() * static_cast<size_t>(rows);
        const std::unique_ptr<char[]> text(new char[size + 1]);
        char* out = text.get();
        {
            const NoGil released;
            for (Py_ssize_t row = 0; row < rows; ++row) {
                for (size_t index = 0; index < count; ++index)
                    out = written[index]->put_row(put(out, pieces[index]), row);
                out = put(out, pieces[count]);
            }
        }
        return PyUnicode_DecodeUTF8(text.get(), out - text.get(), "strict");
    });
}

PyMethodDef kMethods[] = {
    {"split", split, METH_VARARGS, "split(data, delimiter, quote, width, starts, ends): rows, or -1 if not plain"},
    {"numbers", numbers, METH_VARARGS, "numbers(data, starts, ends, point, refuse_zeros, values, odd): how many are odd"},
    {"codes", codes, METH_VARARGS, "codes(data, starts, ends, codes): the distinct texts"},
    {"texts", texts, METH_VARARGS, "texts(data, starts, ends): the texts"},
    {"lines", lines, METH_VARARGS, "lines(rows, between, columns): the rows as text"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "_text", "Plain text in bulk.", -1, kMethods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__text() { return PyModule_Create(&kModule); }
