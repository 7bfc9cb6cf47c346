/* Runs a target once on every file of the folders named on the command line; in place of libFuzzer, for any
 * compiler. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buf bytes = {0};
    char block[4096];
    size_t n;
    if (!file) {
        perror(path);
        exit(1);
    }
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        buf_add(&bytes, block, n);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* should the target abort, the last one named is why */
    uint8_t *exact = (uint8_t *)fuzz_copy(buf_str(&bytes));
    (void)LLVMFuzzerTestOneInput(exact, bytes.n);
    free(exact);
    buf_done(&bytes);
}

static int replay_folder(const char *folder)
{
    int count = 0;
    char path[4096];
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        exit(1);
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1; /* a corpus that is not there must not pass for a good one */
}
