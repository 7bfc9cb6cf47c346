# Writes files into a C source as string constants, so that the binary needs nothing beside it.
#   cmake -DKIND=migrations|openapi "-DFILES=a;b" -DOUT=file.c -P embed.cmake

# The file's bytes as one C string literal, 24 bytes a line.
function(c_string file out)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" text "${hex}")
    string(REPEAT "[^x]x[0-9a-f][0-9a-f]" 24 line)
    string(REGEX REPLACE "(${line})" "\\1\"\n    \"" text "${text}")
    set(${out} "\"${text}\"" PARENT_SCOPE)
endfunction()

function(migrations_source out)
    set(strings)
    set(rows)
    set(count 0)
    list(SORT FILES)
    foreach(file ${FILES})
        cmake_path(GET file STEM LAST_ONLY name)
        if(NOT name MATCHES "^([0-9]+)_[a-z0-9_]+$")
            message(FATAL_ERROR "${file}: a migration is named <number>_<words>.sql")
        endif()
        # Without leading zeros: C would read them as octal.
        string(REGEX REPLACE "^0+([0-9])" "\\1" number "${CMAKE_MATCH_1}")
        c_string(${file} text)
        string(APPEND strings "static const char sql_${count}[] =\n    ${text};\n\n")
        string(APPEND rows "    {${number}, \"${name}\", sql_${count}},\n")
        math(EXPR count "${count} + 1")
    endforeach()
    # A sentinel row: C has no empty arrays.
    set(${out} "#include \"conversation/ports/migrations.h\"\n
${strings}const struct migration migrations[] = {
${rows}    {0, \"\", \"\"},
};
const size_t migrations_count = ${count};
" PARENT_SCOPE)
endfunction()

function(openapi_source out)
    set(text "\"\"")
    if(FILES)
        c_string(${FILES} text)
    endif()
    set(${out} "#include \"conversation/ports/openapi.h\"\n
const char openapi_json[] =
    ${text};
const size_t openapi_json_len = sizeof openapi_json - 1;
" PARENT_SCOPE)
endfunction()

cmake_language(CALL ${KIND}_source source)
file(WRITE ${OUT} "${source}")
